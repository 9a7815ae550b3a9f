/**
 * How long a payload may be, and what is left of one that was longer: the rest has been let go as it came, nothing but this one is
 * lost, and its window is given back as that of any other.
 */

/** Bytes of an item, unless whoever makes a gateway says otherwise: 1 GiB. */
export const MAX_ITEM_BYTES: number = 2 ** 30
// The window is given back in numbers of 32 bits (PROTOCOL.md §5), of which this leaves some.
const MOST_BYTES = 4e9
// As much as tells which call it was the result of.
const HEAD_BYTES = 64

/** Stands for a payload that was too long. */
export class TooLong {
  /** Its first bytes. */
  readonly head: Uint8Array
  /** The bytes that it had. */
  readonly length: number
  readonly #maxBytes: number

  constructor(head: Uint8Array, length: number, maxBytes: number) {
    this.head = head.slice(0, HEAD_BYTES)
    this.length = length
    this.#maxBytes = maxBytes
  }

  toString(): string {
    return tooLongText(this.length, this.#maxBytes)
  }
}

/** What is wrong with it, for errors of either way. */
export function tooLongText(bytes: number, maxBytes: number): string {
  return `it takes ${bytes} bytes, and ${maxBytes} are the most (maxItemBytes)`
}

/** @throws RangeError for what can be no such bound. */
export function checkMaxItemBytes(bytes: number): void {
  if (Number.isInteger(bytes) && bytes >= HEAD_BYTES && bytes <= MOST_BYTES) return
  throw new RangeError(
    `maxItemBytes must be a number of bytes from ${HEAD_BYTES} to ${MOST_BYTES}, not ${String(bytes)}`,
  )
}
