/**
 * An item that is bytes alone, while it arrives (PROTOCOL.md §6): BYTES says first how many they are, so every fragment is copied
 * to its place at once, and what it came in is let go. Its twin is in pieces.py.
 */
import { ProtocolError } from '../errors.js'

/** Bytes of the length that goes ahead. */
export const LENGTH_BYTES = 8

/** From here on bytes travel so; below, a pickle costs no more. */
export const WHOLE_BYTES: number = 64 * 1024

/** What BYTES carries for these bytes. */
export function encodeWholeBytes(bytes: Uint8Array): Uint8Array[] {
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length))
  return [length, bytes]
}

/** The bytes that an item consists of and that are worth sending so; undefined for any other item. */
export function wholeBytesOf(item: unknown): Uint8Array | undefined {
  if (item instanceof Uint8Array)
    return item.length >= WHOLE_BYTES ? new Uint8Array(item.buffer, item.byteOffset, item.length) : undefined
  return item instanceof ArrayBuffer && item.byteLength >= WHOLE_BYTES ? new Uint8Array(item) : undefined
}

/** Gathers the fragments of one item after the other. */
export class WholeBytes {
  readonly #maxBytes: number
  readonly #length = new Uint8Array(LENGTH_BYTES)
  #lengthFilled = 0
  #bytes: Uint8Array | undefined
  #filled = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether an item has begun and is not complete. */
  get isPartial(): boolean {
    return this.#lengthFilled > 0
  }

  /**
   * Takes the next fragment; returns the bytes when it was the last.
   *
   * @throws {@link ProtocolError} when there are more or fewer than were announced, or more than its bound.
   */
  add(pieces: readonly Uint8Array[], hasMore: boolean, channel: number): Uint8Array | undefined {
    for (const piece of pieces) this.#addPiece(piece, channel)
    if (hasMore) return undefined
    const bytes = this.#bytes
    if (bytes === undefined || this.#filled < bytes.length) {
      throw new ProtocolError(`${this.#filled} of ${bytes?.length ?? 'unknown'} bytes on channel ${channel}`)
    }
    this.clear()
    return bytes
  }

  /** Lets go of what has arrived. */
  clear(): void {
    this.#bytes = undefined
    this.#filled = this.#lengthFilled = 0
  }

  #addPiece(piece: Uint8Array, channel: number): void {
    let at = 0
    while (this.#lengthFilled < LENGTH_BYTES && at < piece.length) this.#length[this.#lengthFilled++] = piece[at++] ?? 0
    if (this.#lengthFilled < LENGTH_BYTES) return
    this.#bytes ??= this.#allocate(channel)
    if (piece.length - at > this.#bytes.length - this.#filled) {
      throw new ProtocolError(`more than the ${this.#bytes.length} bytes announced on channel ${channel}`)
    }
    this.#bytes.set(at === 0 ? piece : piece.subarray(at), this.#filled)
    this.#filled += piece.length - at
  }

  #allocate(channel: number): Uint8Array {
    const length = new DataView(this.#length.buffer).getBigUint64(0)
    if (length > this.#maxBytes) throw new ProtocolError(`an item of ${length} bytes on channel ${channel}`)
    return new Uint8Array(Number(length))
  }
}
