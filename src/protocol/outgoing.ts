/**
 * Bytes on their way out, gathered for one write: small ones are copied together into slabs, large ones are passed on as they are.
 */
import { encodeHeader, HEADER_BYTES } from './frames.js'

const SLAB_BYTES = 64 * 1024
// Below this a copy is cheaper than one more buffer in a gathered write.
const COPY_BYTES = 16 * 1024

/** Gathers frames into as few chunks as is cheap. A chunk that was taken is never written to again. */
export class Outgoing {
  #slab = new Uint8Array(SLAB_BYTES)
  #view = new DataView(this.#slab.buffer)
  #start = 0
  #end = 0
  #chunks: Uint8Array[] = []
  #bytes = 0

  /** Bytes gathered and not taken yet. */
  get bytes(): number {
    return this.#bytes
  }

  header(kind: number, flags: number, channel: number, length: number): void {
    this.#reserve(HEADER_BYTES)
    encodeHeader(this.#view, this.#end, kind, flags, channel, length)
    this.#end += HEADER_BYTES
    this.#bytes += HEADER_BYTES
  }

  append(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (bytes.length > COPY_BYTES) {
      this.#seal()
      this.#chunks.push(bytes)
      return
    }
    this.#reserve(bytes.length)
    this.#slab.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** Hands over all that was gathered. */
  take(): Uint8Array[] {
    this.#seal()
    const chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    return chunks
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= SLAB_BYTES) return
    this.#seal()
    this.#slab = new Uint8Array(SLAB_BYTES)
    this.#view = new DataView(this.#slab.buffer)
    this.#start = this.#end = 0
  }

  #seal(): void {
    if (this.#end > this.#start) this.#chunks.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
