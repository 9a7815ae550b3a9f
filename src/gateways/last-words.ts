/**
 * The stderr of a transport: the text of whoever writes there and, behind the gateway's marker, what a worker that has ended had printed and
 * perhaps not sent (PROTOCOL.md §8; twin: `Relay.give_rest` in relay.py). What of that has come in frames is left out.
 */
import { Flag, HEADER_BYTES } from '../protocol/frames.js'
import type { OutputLine } from './output.js'

type Stream = OutputLine['stream']

// Twice what a relay keeps (relay.py), and what goes with it. More is none of a relay's.
const MAX_BYTES = 80 * 1024 * 1024
// A relay tells the rest of two streams, in a few pieces. What follows more is text like any other.
const MAX_PARTS = 1000

/** One gateway's. */
export class LastWords {
  readonly #marker: Buffer
  readonly #sent: Record<Stream, number> = { stdout: 0, stderr: 0 }
  /** From the first marker on; until there is one, what may be its beginning. */
  #held: Uint8Array[] = []
  #isMarked = false
  #bytes = 0

  constructor(marker: string) {
    this.#marker = Buffer.from(marker)
  }

  /** So many bytes that the worker has printed have come in a frame. */
  count(stream: Stream, bytes: number): void {
    this.#sent[stream] += bytes
  }

  /** @returns What can be told at once. */
  take(chunk: Uint8Array): Uint8Array {
    if (this.#isMarked) {
      this.#bytes += chunk.length
      if (this.#bytes > MAX_BYTES) return chunk
      this.#held.push(chunk)
      return new Uint8Array(0)
    }
    const text = Buffer.concat([...this.#held, chunk])
    const found = text.indexOf(this.#marker)
    this.#isMarked = found >= 0
    const end = this.#isMarked ? found : text.length - this.#begunAtEndOf(text)
    this.#held = [text.subarray(end)]
    return text.subarray(0, end)
  }

  /** When the transport has ended: all that is left to tell. */
  rest(): [stream: Stream, text: Uint8Array][] {
    const text = Buffer.concat(this.#held)
    const parts: [Stream, Uint8Array][] = []
    let at = 0
    for (
      let found = text.indexOf(this.#marker);
      found >= 0 && parts.length < MAX_PARTS;
      found = text.indexOf(this.#marker, at)
    ) {
      const begin = found + this.#marker.length + HEADER_BYTES
      if (begin > text.length) return parts // it was cut off
      const header = text.subarray(begin - HEADER_BYTES)
      const stream = header.readUInt8(1) === Flag.STDERR ? 'stderr' : 'stdout'
      const end = begin + header.readUInt32BE(2)
      const sent = (this.#sent[stream] - header.readUInt32BE(6)) | 0 // both count modulo 2^32
      parts.push(['stderr', text.subarray(at, found)], [stream, text.subarray(begin, end).subarray(Math.max(0, sent))])
      at = end
    }
    return [...parts, ['stderr', text.subarray(at)]]
  }

  /** How many bytes at the end of a text may be the beginning of a marker. */
  #begunAtEndOf(text: Buffer): number {
    let size = Math.min(text.length, this.#marker.length - 1)
    while (size > 0 && !text.subarray(-size).equals(this.#marker.subarray(0, size))) size--
    return size
  }
}
