/** How one gateway's values are written and read: every item comes by here, so what that needs is made once. */
import { decoder, type EncodeOptions, encode, type Reference, UNASKED } from '../protocol/codec.js'
import type { ItemCodec } from '../protocol/connection.js'
import type { Endpoint } from '../protocol/endpoint.js'
import { WINDOW_BYTES } from '../protocol/frames.js'
import type { TooLong } from '../protocol/too-long.js'

/** What it needs of its gateway. */
export interface CodingOwner {
  /** The pickle protocol that the worker reads, as far as that is known. */
  protocol(): number
  readonly maxItemBytes: number
  /** What stands for an object when it is sent. */
  referenceTo(object: object): Reference | undefined
  /** What a reference stands for. */
  referred(kind: string, id: number): unknown
}

/** One gateway's. */
export class Coding implements ItemCodec {
  readonly #decode: ReturnType<typeof decoder>
  /** For what nobody has asked for. */
  readonly #decodeUnasked: ReturnType<typeof decoder>
  readonly #options: EncodeOptions

  constructor(owner: CodingOwner) {
    const { referred, referenceTo, maxItemBytes } = owner
    this.#decode = decoder({ referred, maxMemory: Math.max(maxItemBytes, WINDOW_BYTES) }) // a window is held anyway
    this.#decodeUnasked = decoder({ referred, ...UNASKED })
    this.#options = {
      get protocol() {
        return owner.protocol()
      },
      maxBytes: maxItemBytes,
      referenceTo,
    }
  }

  /** The payload of a value, in parts; see `encode`. */
  encode(value: unknown): Uint8Array[] {
    return encode(value, this.#options)
  }

  /** The value of a payload that came to an endpoint. */
  decode(payload: Uint8Array | TooLong, { mostBytes }: Endpoint): unknown {
    const isAsked = mostBytes === undefined || mostBytes() === Number.POSITIVE_INFINITY
    return isAsked ? this.#decode(payload) : this.#decodeUnasked(payload)
  }
}
