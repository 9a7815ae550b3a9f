/**
 * Whether a gateway keeps this process alive: while somebody waits for it, and not otherwise. A program that has
 * come to its end then ends, and its workers with it.
 */
import { Timer } from '../timer.js'

// How much longer a program lives that has nothing more to wait for.
const LET_GO_MS = 10

/** One gateway's. */
export class KeepAlive {
  readonly #apply: (isWanted: boolean) => void
  #holds = 0
  #isWanted = true
  #isScheduled = false

  /** @param apply - Told when it changes; it starts out as wanted. */
  constructor(apply: (isWanted: boolean) => void) {
    this.#apply = apply
  }

  /** Holds on; the function returned lets go, and is to be called once. */
  hold(): () => void {
    this.#holds++
    if (!this.#isWanted) this.#set(true)
    return this.#release
  }

  readonly #release = (): void => {
    if (--this.#holds > 0 || this.#isScheduled) return
    // Put off: round trips hold and let go all the time, and must not pay for telling every handle, nor for a turn of the loop.
    this.#isScheduled = true
    new Timer(LET_GO_MS, () => {
      this.#isScheduled = false
      if (this.#holds === 0) this.#set(false)
    }).unref()
  }

  #set(isWanted: boolean): void {
    if (this.#isWanted === isWanted) return
    this.#isWanted = isWanted
    this.#apply(isWanted)
  }
}
