/**
 * Small items that one turn of the event loop sends on a channel, gathered for one BATCH frame (PROTOCOL.md §5): encoding,
 * framing and reading each alone would be most of what it costs. Only what cannot change meanwhile may wait here.
 */
import { encode, PORTABLE_PROTOCOL } from './codec.js'
import type { Endpoint } from './endpoint.js'
import { ITEM_OVERHEAD, Kind } from './frames.js'

/** An item that is a value and not a reference: what it is when it leaves is what it was when it was sent. */
export type Scalar = number | boolean | string | null | undefined

const MAX_ITEMS = 1024
const MAX_CHARACTERS = 64

/** Whether an item may wait for others. */
export function isScalar(item: unknown): item is Scalar {
  switch (typeof item) {
    case 'number':
    case 'boolean':
    case 'undefined':
      return true
    case 'string':
      return item.length <= MAX_CHARACTERS
    default:
      return item === null
  }
}

/** The scalars of one channel that have been sent and not been encoded yet. */
export class Batch {
  readonly endpoint: Endpoint
  readonly #items: Scalar[] = []

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  /** Whether it is time to encode them. */
  get isFull(): boolean {
    return this.#items.length >= MAX_ITEMS
  }

  /** Takes an item that the window has room for. */
  add(item: Scalar): void {
    this.endpoint.countSent(ITEM_OVERHEAD)
    this.#items.push(item)
  }

  /** The frame's kind and payload; one item alone is DATA as any other. */
  encode(): { readonly kind: number; readonly payload: readonly Uint8Array[]; readonly size: number } {
    const isAlone = this.#items.length === 1
    const payload = encode(isAlone ? this.#items[0] : this.#items, { protocol: PORTABLE_PROTOCOL })
    const size = payload.reduce((sum, part) => sum + part.length, 0)
    this.endpoint.countSent(size)
    return { kind: isAlone ? Kind.DATA : Kind.BATCH, payload, size }
  }
}
