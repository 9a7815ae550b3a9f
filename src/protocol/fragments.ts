/** A payload that arrives in fragments (PROTOCOL.md §2), until it is complete. Its bytes are bounded: the peer says only at the end how many there are. */
import { joinPieces } from './frame-reader.js'
import { Pieces } from './pieces.js'
import { TooLong } from './too-long.js'

/** Gathers the fragments of one payload after the other. */
export class Fragments {
  #maxBytes: number
  readonly #pieces = new Pieces(true)
  #bytes = 0
  #isPartial = false
  /** What it began with, when the rest is let go. */
  #head: Uint8Array | undefined

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a payload has begun and is not complete. */
  get isPartial(): boolean {
    return this.#isPartial
  }

  /** How many bytes are kept of one that is not complete. */
  get bytes(): number {
    return this.#head === undefined ? this.#bytes : 0
  }

  /** Bounds the payload that is about to begin, and those that follow. */
  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  /** Takes the next fragment; returns the pieces of the payload when that was its last, or that it was too long. */
  add(pieces: readonly Uint8Array[], hasMore: boolean): readonly Uint8Array[] | TooLong | undefined {
    for (const piece of pieces) this.#bytes += piece.length
    if (this.#bytes > this.#maxBytes) return this.#letGo(pieces, hasMore)
    if (!hasMore && !this.#isPartial) {
      this.#bytes = 0
      return pieces
    }
    for (const piece of pieces) this.#pieces.add(piece)
    this.#isPartial = hasMore
    return hasMore ? undefined : this.#take()
  }

  /** Lets go of what has arrived. */
  clear(): void {
    this.#isPartial = false
    this.#take()
  }

  #letGo(pieces: readonly Uint8Array[], hasMore: boolean): TooLong | undefined {
    this.#head ??= joinPieces([...this.#pieces.take(), ...pieces])
    const tooLong = new TooLong(this.#head, this.#bytes, this.#maxBytes)
    this.#head = tooLong.head // a copy: nothing of what came is kept
    this.#isPartial = hasMore
    if (hasMore) return undefined
    this.#take()
    return tooLong
  }

  #take(): readonly Uint8Array[] {
    this.#bytes = 0
    this.#head = undefined
    return this.#pieces.take()
  }
}
