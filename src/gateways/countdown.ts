/** A timeout that can stand still, for what must not be charged to whoever is timed: a person who types, a turn that has not come. */
import { monotonicMs, Timer } from '../timer.js'

/** Runs down once, while nobody holds it. */
export class Countdown {
  readonly #onTimeUp: () => void
  #leftMs: number
  #pauses = 0
  #hasStarted = false
  #hasStopped = false
  #resumedAt = 0
  #timer: Timer | undefined

  constructor(durationMs: number, onTimeUp: () => void) {
    this.#leftMs = durationMs
    this.#onTimeUp = onTimeUp
  }

  /** Idempotent: it starts once. */
  start(): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#run()
  }

  /** Stands still until the function that is returned has been called, by everybody who paused it. */
  pause(): () => void {
    if (this.#pauses++ === 0) this.#halt()
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      if (--this.#pauses === 0) this.#run()
    }
  }

  /** Never rings from now on. */
  stop(): void {
    this.#hasStopped = true
    this.#halt()
  }

  #run(): void {
    if (!this.#hasStarted || this.#hasStopped || this.#pauses > 0) return
    this.#resumedAt = monotonicMs()
    this.#timer = new Timer(this.#leftMs, () => {
      this.#hasStopped = true
      this.#onTimeUp()
    })
  }

  #halt(): void {
    if (this.#timer === undefined) return
    this.#timer.stop()
    this.#timer = undefined
    this.#leftMs = Math.max(0, this.#leftMs - (monotonicMs() - this.#resumedAt))
  }
}
