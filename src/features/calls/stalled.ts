/** Questions of a worker's that stay open: whether calls wait behind the call that asks, which is for ever if the answer waits for them. */
import { Timer } from '../../core.js'

// So long nobody wonders. Asked again, it is after twice the time.
const FIRST_LOOK_MS = 1000

/** What looking needs. */
export interface StalledParts {
  /** Has the worker tell which requests wait behind the one that asks. */
  look(question: number): void
  titleOf(request: number): string
  say(text: string): void
}

/** One gateway's. */
export class Stalled {
  readonly #parts: StalledParts
  readonly #looks = new Map<number, () => void>()
  readonly #told = new Set<number>()

  constructor(parts: StalledParts) {
    this.#parts = parts
  }

  /** Looks after a question. @returns Stops it. */
  watch(question: number): () => void {
    let timer: Timer | undefined
    let ms = FIRST_LOOK_MS
    const wait = (): void => {
      timer = new Timer(ms, () => this.#parts.look(question)).unref()
      ms *= 2
    }
    wait()
    this.#looks.set(question, wait)
    return () => {
      timer?.stop()
      this.#looks.delete(question)
    }
  }

  /** The worker has told. Each request is told of once. */
  onTold(question: number, asker: number, requests: readonly number[]): void {
    const [first, ...others] = requests.filter((request) => !this.#told.has(request))
    this.#looks.get(question)?.()
    if (first === undefined || !this.#looks.has(question)) return
    for (const request of [first, ...others]) this.#told.add(request)
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    this.#parts.say(
      `tendril: ${this.#parts.titleOf(first)}${more} waits behind ${this.#parts.titleOf(asker)}, which waits for a function of the controller. ` +
        'If that function waits for it, neither will end: make the call in the function itself, or let them pass each other (threads=2, without main_thread_only)',
    )
  }
}
