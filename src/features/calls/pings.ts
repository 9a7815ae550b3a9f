/** Whether a worker answers, and how long it takes to (PROTOCOL.md §12, `ping`). */
import { monotonicMs } from '../../core.js'

/** Those of one session: they are answered in their order. */
export class Pings {
  readonly #ping: () => void
  #waiting: (() => void)[] = []
  #roundTrip: number | undefined
  #isMeasured = false

  /** @param ping - Sends one. */
  constructor(ping: () => void) {
    this.#ping = ping
  }

  /** Calls back when the worker has acted upon every command until now; never when the session ends before. */
  whenAnswered(onAnswer: () => void): void {
    this.#waiting.push(onAnswer)
    this.#ping()
  }

  /** Milliseconds that the worker takes to answer when it can; undefined until that has been measured. */
  get roundTrip(): number | undefined {
    return this.#roundTrip
  }

  /** Measures the round trip, once. */
  measure(): void {
    if (this.#isMeasured) return
    this.#isMeasured = true
    const began = monotonicMs()
    this.whenAnswered(() => {
      this.#roundTrip = monotonicMs() - began
    })
  }

  onPong(): void {
    this.#waiting.shift()?.()
  }

  /** The session ended without an answer; with the next one it is asked anew. */
  clear(): void {
    this.#waiting = []
    this.#isMeasured = this.#roundTrip !== undefined
  }
}
