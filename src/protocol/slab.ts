/**
 * Where small payloads that wait are copied to. A view keeps alive the whole chunk that it came in: a slow reader's items,
 * one in every chunk of somebody else's, would hold hundreds of times their window.
 */

const FIRST_BYTES = 1024
const MAX_BYTES = 64 * 1024

/** One channel's copies, side by side in buffers that grow with their number. */
export class Slab {
  #bytes: Uint8Array | undefined
  #used = 0

  /** The same bytes where they keep little else alive; the piece itself when it already does. */
  keep(piece: Uint8Array): Uint8Array {
    if (piece.length * 4 > piece.buffer.byteLength) return piece
    if (piece.length > MAX_BYTES / 4) return piece.slice()
    let bytes = this.#bytes
    if (bytes === undefined || this.#used + piece.length > bytes.length) bytes = this.#grow(piece.length)
    const start = this.#used
    this.#used += piece.length
    bytes.set(piece, start)
    return bytes.subarray(start, this.#used)
  }

  #grow(bytes: number): Uint8Array {
    const size = Math.min(MAX_BYTES, Math.max(FIRST_BYTES, (this.#bytes?.length ?? 0) * 2, bytes * 4))
    const grown = new Uint8Array(size)
    this.#bytes = grown
    this.#used = 0
    return grown
  }
}
