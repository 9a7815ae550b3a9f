/**
 * The pieces of one payload, as they come. Each is a view, which takes more than a short piece holds and keeps its chunk alive: those that may
 * wait for others without end are copied together, unless they are most of their chunk.
 */

// Of a frame so many pieces may be of any length, as those of ordinary payloads are that lie across chunks.
const FEW = 16
const SHORT_BYTES = 1024
const FIRST_SLAB_BYTES = 256
const SLAB_BYTES = 16 * 1024

/** One payload after the other. */
export class Pieces {
  readonly #areLasting: boolean
  #pieces: Uint8Array[] = []
  #slab: Uint8Array | undefined
  #start = 0
  #end = 0

  /** @param areLasting - They are fragments: there is no telling when the next one comes. */
  constructor(areLasting = false) {
    this.#areLasting = areLasting
  }

  add(piece: Uint8Array): void {
    if (this.#mayStay(piece)) {
      this.#seal()
      this.#pieces.push(piece)
      return
    }
    if (this.#slab === undefined || this.#end + piece.length > this.#slab.length) {
      const doubled = Math.min(SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, 2 * (this.#slab?.length ?? 0)))
      this.#seal()
      this.#slab = new Uint8Array(Math.max(doubled, piece.length))
      this.#start = this.#end = 0
    }
    this.#slab.set(piece, this.#end)
    this.#end += piece.length
  }

  /** Hands over all that came. */
  take(): Uint8Array[] {
    this.#seal()
    const pieces = this.#pieces
    this.#pieces = []
    this.#slab = undefined
    return pieces
  }

  #mayStay(piece: Uint8Array): boolean {
    if (this.#areLasting) return piece.length > SHORT_BYTES && piece.length * 2 >= piece.buffer.byteLength
    return this.#pieces.length < FEW || piece.length > SHORT_BYTES
  }

  #seal(): void {
    if (this.#slab !== undefined && this.#end > this.#start)
      this.#pieces.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
