/** Lets so many through at a time, in the order in which they came: two hundred logins at once would time each other out. */

/** One place to pass. */
export class Turnstile {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /**
   * Waits for a turn.
   *
   * @returns Ends the turn; call it once.
   * @throws The signal's reason when it is aborted first.
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    return () => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(pass), 1)
        reject(signal.reason)
      }
      const pass = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#waiting.push(pass)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
