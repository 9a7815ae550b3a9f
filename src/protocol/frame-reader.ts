/**
 * Chunks in, frames out. It skips and keeps the noise before the marker, then cuts frames out of whatever chunks
 * the transport delivers. Nothing is joined: a payload that lies across chunks is handed over in pieces, because joining
 * per chunk is quadratic.
 */
import { ProtocolError } from '../errors.js'
import { HEADER_BYTES, headerFault } from './frames.js'
import { Pieces } from './pieces.js'

/** Called for every complete frame; the pieces in order are its payload. */
export type OnFrame = (kind: number, flags: number, channel: number, pieces: readonly Uint8Array[]) => void

/** Bytes of noise before the marker that are skipped; a banner has some hundred, an endless stream is no banner. */
export const MAX_NOISE_BYTES: number = 64 * 1024
// Of what an error quotes: enough to recognize a line of text.
const QUOTED_BYTES = 64

/** Cuts one gateway's incoming bytes into frames. */
export class FrameReader {
  readonly #onFrame: OnFrame
  #marker: string | undefined
  #noise = ''
  readonly #header = new Uint8Array(HEADER_BYTES)
  readonly #headerView: DataView = new DataView(this.#header.buffer)
  #headerFilled = 0
  readonly #pieces = new Pieces()
  #missing = 0

  /** @param marker - The text that ends the noise; absent when frames start at once. */
  constructor(onFrame: OnFrame, marker?: string) {
    this.#onFrame = onFrame
    this.#marker = marker
  }

  /** What came before the marker, a character a byte. */
  get noise(): string {
    return this.#noise
  }

  /** Whether the marker has been seen. */
  get isSynchronized(): boolean {
    return this.#marker === undefined
  }

  /**
   * Takes the next chunk.
   *
   * @throws {@link ProtocolError} when there is too much noise, or bytes that are no frame; it quotes them.
   */
  push(chunk: Uint8Array): void {
    const start = this.#marker === undefined ? 0 : this.#skipNoise(chunk, this.#marker)
    if (start < chunk.length) this.#cut(chunk, start)
  }

  #skipNoise(chunk: Uint8Array, marker: string): number {
    const before = this.#noise.length
    this.#noise += latin1(chunk)
    const found = this.#noise.indexOf(marker, Math.max(0, before - marker.length))
    // Without the marker, all but the bytes that could be its beginning are noise: how the chunks are cut makes no difference.
    const noiseBytes = found >= 0 ? found : this.#noise.length - marker.length + 1
    if (noiseBytes > MAX_NOISE_BYTES) {
      const start = JSON.stringify(this.#noise.slice(0, QUOTED_BYTES))
      throw new ProtocolError(
        `more than ${MAX_NOISE_BYTES} bytes arrived before the worker's first word; they begin with ${start}`,
      )
    }
    if (found < 0) return chunk.length
    this.#noise = this.#noise.slice(0, found)
    this.#marker = undefined
    return found + marker.length - before
  }

  #cut(chunk: Uint8Array, start: number): void {
    let at = start
    while (at < chunk.length) {
      if (this.#missing > 0) {
        const piece = chunk.subarray(at, at + this.#missing)
        at += piece.length
        this.#missing -= piece.length
        this.#pieces.add(piece)
      } else {
        at += this.#fillHeader(chunk, at)
        if (this.#headerFilled < HEADER_BYTES) return
        this.#missing = this.#checkHeader(chunk, at)
      }
      if (this.#missing === 0) this.#emit()
    }
  }

  #fillHeader(chunk: Uint8Array, at: number): number {
    const header = this.#header
    let taken = 0
    while (this.#headerFilled < HEADER_BYTES && at + taken < chunk.length) {
      header[this.#headerFilled++] = chunk[at + taken++] ?? 0
    }
    return taken
  }

  #checkHeader(chunk: Uint8Array, at: number): number {
    const length = this.#headerView.getUint32(6)
    const fault = headerFault(this.#header[0] ?? 0, this.#header[1] ?? 0, length)
    if (fault === undefined) return length
    const seen = quote(joinPieces([this.#header, chunk.subarray(at, at + QUOTED_BYTES)]))
    throw new ProtocolError(
      `the worker sent ${fault}; the bytes are ${seen}. Something else writes into the gateway's stream.`,
    )
  }

  #emit(): void {
    const pieces = this.#pieces.take()
    this.#headerFilled = 0
    this.#onFrame(this.#header[0] ?? 0, this.#header[1] ?? 0, this.#headerView.getUint32(2), pieces)
  }
}

/** Bytes as an error shows them. */
function quote(bytes: Uint8Array): string {
  return JSON.stringify(latin1(bytes.subarray(0, QUOTED_BYTES)))
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096))
  return text
}

/** How many bytes pieces have together. */
export function sizeOf(pieces: readonly Uint8Array[]): number {
  let size = 0
  for (const piece of pieces) size += piece.length
  return size
}

/** Pieces as one array; a single piece is not copied. */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  if (first === undefined) return new Uint8Array(0)
  if (pieces.length === 1) return first
  const joined = new Uint8Array(sizeOf(pieces))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
