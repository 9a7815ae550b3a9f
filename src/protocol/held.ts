/**
 * How many bytes of one gateway's nobody has taken: items that wait in their channels, and those that have come in part. Windows bound each
 * channel, this all of them together.
 */
import { ProtocolError } from '../errors.js'

/** A channel of which an item has come in part. */
interface PartialItem {
  readonly partialBytes: number
  /** Whether somebody waits for it: what was asked for is not held. */
  readonly isAwaited: boolean
}

// Bytes of chunks that small items which wait may keep alive, as views of them: those that come then are copied.
const MAX_PINNED_BYTES = 16 * 1024 * 1024
// A view keeps not much more alive than itself when it is so much of its chunk.
const MOST_OF_CHUNK = 1 / 4

/** A chunk that items which wait keep alive, and how many do. */
interface Pin {
  readonly chunk: ArrayBufferLike
  items: number
}

/** What keeps a chunk alive, until it is taken. */
export type Pinned = Pin | undefined

// So much may come between two looks at all channels, once there is more than may be held.
const STEP_BYTES = 16 * 1024 * 1024

/** @throws RangeError for what can be no such bound. */
export function checkMaxHeldBytes(bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes > 0) return
  throw new RangeError(`maxHeldBytes must be a number of bytes above 0, not ${String(bytes)}`)
}

/** One gateway's count. */
export class Held {
  readonly #maxBytes: number
  #waiting = 0
  /** What has come of items that are not complete, and of those that have become so since the last look. */
  #arrived = 0
  #lookAt: number
  #pinnedBytes = 0
  #lastPin: Pinned

  constructor(maxBytes: number) {
    this.#maxBytes = this.#lookAt = maxBytes
  }

  /** Whether items that come now are to be copied, if they wait. */
  get hasManyPins(): boolean {
    return this.#pinnedBytes > MAX_PINNED_BYTES
  }

  /** An item waits for somebody to take it, as a view. */
  pin({ buffer, length }: Uint8Array): Pinned {
    if (length >= buffer.byteLength * MOST_OF_CHUNK || this.hasManyPins) return undefined
    if (this.#lastPin?.chunk !== buffer) this.#lastPin = { chunk: buffer, items: 0 }
    if (this.#lastPin.items++ === 0) this.#pinnedBytes += buffer.byteLength
    return this.#lastPin
  }

  /** It has been taken, or dropped. */
  unpin(pin: Pinned): void {
    if (pin !== undefined && --pin.items === 0) this.#pinnedBytes -= pin.chunk.byteLength
  }

  /** Something waits for somebody to take it. */
  hold(bytes: number): void {
    this.#waiting += bytes
  }

  /** It has been taken, or dropped. */
  release(bytes: number): void {
    this.#waiting -= bytes
    this.#lookAt = this.#maxBytes
  }

  /**
   * More has come of an item that is not complete.
   *
   * @throws {@link ProtocolError} when there is too much that nobody has taken.
   */
  arrive(bytes: number, partials: () => Iterable<PartialItem>): void {
    this.#arrived += bytes
    if (this.#waiting + this.#arrived <= this.#lookAt) return
    let all = 0
    let unasked = 0
    for (const partial of partials()) {
      all += partial.partialBytes
      if (partial.partialBytes > 0 && !partial.isAwaited) unasked += partial.partialBytes
    }
    if (this.#waiting + unasked > this.#maxBytes) {
      throw new ProtocolError(
        `the worker has sent ${this.#waiting + unasked} bytes that nobody has taken, and ${this.#maxBytes} are the most (maxHeldBytes)`,
      )
    }
    this.#arrived = all
    this.#lookAt = this.#waiting + all + STEP_BYTES
  }
}
