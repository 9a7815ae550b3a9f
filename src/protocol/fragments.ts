/** A payload that arrives in fragments (PROTOCOL.md §2), until it is complete. Its bytes are bounded: the peer says only at the end how many there are. */
import { ProtocolError } from '../errors.js'

/** Gathers the fragments of one payload after the other. */
export class Fragments {
  readonly #maxBytes: number
  #pieces: Uint8Array[] = []
  #bytes = 0
  #isPartial = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a payload has begun and is not complete. */
  get isPartial(): boolean {
    return this.#isPartial
  }

  /**
   * Takes the next fragment; returns the pieces of the payload when that was its last.
   *
   * @throws {@link ProtocolError} when the payload grows beyond its bound.
   */
  add(pieces: readonly Uint8Array[], hasMore: boolean, channel: number): readonly Uint8Array[] | undefined {
    for (const piece of pieces) this.#bytes += piece.length
    if (this.#bytes > this.#maxBytes) {
      throw new ProtocolError(`a payload of more than ${this.#maxBytes} bytes on channel ${channel}`)
    }
    if (!hasMore && !this.#isPartial) {
      this.#bytes = 0
      return pieces
    }
    for (const piece of pieces) this.#pieces.push(piece)
    this.#isPartial = hasMore
    return hasMore ? undefined : this.#take()
  }

  /** Lets go of what has arrived. */
  clear(): void {
    this.#isPartial = false
    this.#take()
  }

  #take(): readonly Uint8Array[] {
    const pieces = this.#pieces
    this.#pieces = []
    this.#bytes = 0
    return pieces
  }
}
