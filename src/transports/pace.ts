/**
 * How long what arrives may be acted upon without a break. Node reads a pipe that is full again and again before anything else has its
 * turn, so that a far end that never stops would have timers and other gateways wait.
 */
import type { Readable } from 'node:stream'
import { monotonicMs } from '../timer.js'

// Programs under test replace it by one that stands still.
const { setImmediate } = globalThis

const TURN_MS = 20
// A chunk may be of very many frames, each of which is work: it is acted upon in slices that take about so long, as far as the last ones tell.
const SLICE_MS = 5
const FIRST_SLICE_BYTES = 64 * 1024
const LEAST_SLICE_BYTES = 1024
// After so long without a chunk everybody else has had a turn.
const BREAK_MS = 1

/** One stream's. */
export class Pace {
  #since = 0
  #until = 0
  #sliceBytes = FIRST_SLICE_BYTES

  /** A chunk is about to be acted upon. */
  begin(): void {
    const now = monotonicMs()
    if (now - this.#until > BREAK_MS) this.#since = now
  }

  /** It has been. @returns Whether it is time for a break. */
  end(): boolean {
    this.#until = monotonicMs()
    return this.isDue
  }

  /** Whether it is time for a break. */
  get isDue(): boolean {
    return this.#until - this.#since > TURN_MS
  }

  /** Has `take` called with a chunk, slice by slice, until it is time for a break. @returns How many bytes it was called with. */
  feed(chunk: Uint8Array, take: (slice: Uint8Array) => void): number {
    let at = 0
    do {
      const bytes = Math.min(this.#sliceBytes, chunk.length - at)
      this.begin()
      const begin = monotonicMs()
      take(bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes))
      at += bytes
      const isDue = this.end()
      this.#fit(bytes, this.#until - begin)
      if (isDue) break
    } while (at < chunk.length)
    return at
  }

  #fit(bytes: number, ms: number): void {
    if (ms > SLICE_MS) this.#sliceBytes = Math.max(LEAST_SLICE_BYTES, Math.floor((bytes * SLICE_MS) / ms))
    else if (bytes === this.#sliceBytes) this.#sliceBytes *= 2
  }

  /** Resolves when everybody else has had a turn. */
  break(): Promise<void> {
    this.#until = 0
    return new Promise((resolve) => setImmediate(resolve))
  }
}

/** Has `take` called with what a stream reads, and pauses it for breaks. */
export function readPaced(stream: Readable, take: (chunk: Uint8Array) => void): void {
  const pace = new Pace()
  stream.on('data', (chunk: Uint8Array) => {
    const taken = pace.feed(chunk, take)
    if (!pace.isDue) return
    stream.pause()
    if (taken < chunk.length && !stream.destroyed) stream.unshift(chunk.subarray(taken))
    void pace.break().then(() => stream.resume())
  })
}
