/**
 * An item that is bytes alone, while it arrives (PROTOCOL.md §6): BYTES says first how many they are, so every fragment is copied
 * to its place at once, and what it came in is let go. Its twin is in pieces.py.
 */
import { ProtocolError } from '../errors.js'
import { TooLong } from './too-long.js'

/** Bytes of the length that goes ahead. */
export const LENGTH_BYTES = 8

/** From here on bytes travel so; below, a pickle costs no more. */
export const WHOLE_BYTES: number = 64 * 1024

// Until there are any: most channels have no such items.
const NO_BYTES = new Uint8Array(0)

/** What BYTES carries for these bytes. */
export function encodeWholeBytes(bytes: Uint8Array): Uint8Array[] {
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length))
  return [length, bytes]
}

/** The bytes that an item consists of and that are worth sending so; undefined for any other item, and one that is too long. */
export function wholeBytesOf(item: unknown, maxBytes: number = Number.POSITIVE_INFINITY): Uint8Array | undefined {
  if (!(item instanceof Uint8Array || item instanceof ArrayBuffer)) return undefined
  const length = item.byteLength
  if (length < WHOLE_BYTES || LENGTH_BYTES + length > maxBytes) return undefined
  return item instanceof ArrayBuffer ? new Uint8Array(item) : new Uint8Array(item.buffer, item.byteOffset, length)
}

/** Gathers the fragments of one item after the other. */
export class WholeBytes {
  #maxBytes: number
  #length = NO_BYTES
  #lengthFilled = 0
  /** How many were announced; they are let go as they come when `#bytes` has no place for them. */
  #announced: number | undefined
  #bytes: Uint8Array | undefined
  #filled = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether an item has begun and is not complete. */
  get isPartial(): boolean {
    return this.#lengthFilled > 0
  }

  /** How many bytes are kept for one that is not complete, whether or not they have come. */
  get bytes(): number {
    return this.#bytes?.length ?? 0
  }

  /** Bounds the item that is about to begin, and those that follow. */
  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  /**
   * Takes the next fragment; returns the bytes when it was the last, or that they were too many.
   *
   * @throws {@link ProtocolError} when there are more or fewer than were announced.
   */
  add(pieces: readonly Uint8Array[], hasMore: boolean, channel: number): Uint8Array | TooLong | undefined {
    for (const piece of pieces) this.#addPiece(piece, channel)
    if (hasMore) return undefined
    const announced = this.#announced
    if (announced === undefined || this.#filled < announced) {
      throw new ProtocolError(`${this.#filled} of ${announced ?? 'unknown'} bytes on channel ${channel}`)
    }
    const bytes = this.#bytes ?? new TooLong(this.#length, LENGTH_BYTES + announced, this.#maxBytes)
    this.clear()
    return bytes
  }

  /** Lets go of what has arrived. */
  clear(): void {
    this.#bytes = this.#announced = undefined
    this.#filled = this.#lengthFilled = 0
  }

  #addPiece(piece: Uint8Array, channel: number): void {
    let at = 0
    if (this.#length.length === 0) this.#length = new Uint8Array(LENGTH_BYTES)
    while (this.#lengthFilled < LENGTH_BYTES && at < piece.length) this.#length[this.#lengthFilled++] = piece[at++] ?? 0
    if (this.#lengthFilled < LENGTH_BYTES) return
    this.#announced ??= this.#allocate()
    if (piece.length - at > this.#announced - this.#filled) {
      throw new ProtocolError(`more than the ${this.#announced} bytes announced on channel ${channel}`)
    }
    this.#bytes?.set(at === 0 ? piece : piece.subarray(at), this.#filled)
    this.#filled += piece.length - at
  }

  #allocate(): number {
    const length = Number(new DataView(this.#length.buffer).getBigUint64(0))
    if (length > this.#maxBytes) return length
    try {
      this.#bytes = new Uint8Array(length)
    } catch {
      throw new ProtocolError(`there is no memory here for an item of ${length} bytes`)
    }
    return length
  }
}
