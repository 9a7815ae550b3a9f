/** One way that several gateways go together: all of them see its phases, any of them may answer, it ends when all have given up. */
import type { Phase } from '../errors.js'
import type { Connecting, Question } from './connecting.js'

/** The way as whoever connects sees it. */
export class JoinedConnecting implements Connecting {
  readonly #joined = new Set<Connecting>()
  readonly #pauses = new Map<Connecting, () => void>()
  readonly #abort = new AbortController()
  #last: readonly [phase: Phase, detail?: string, stuck?: string] | undefined
  #pauseCount = 0
  #hasArrived = false

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** @returns Leaves; when nobody is left, the way is given up. */
  join(connecting: Connecting): () => void {
    this.#joined.add(connecting)
    if (this.#last !== undefined) connecting.enter(...this.#last)
    if (this.#pauseCount > 0) this.#pauses.set(connecting, connecting.pause())
    const leave = (): void => {
      connecting.signal.removeEventListener('abort', leave)
      this.#resume(connecting)
      this.#joined.delete(connecting)
      if (this.#joined.size === 0 && !this.#hasArrived) this.#abort.abort(new Error('it was given up'))
    }
    connecting.signal.addEventListener('abort', leave)
    return leave
  }

  /** The way has come to its end: whoever leaves now gives nothing up. */
  arrive(): void {
    this.#hasArrived = true
  }

  enter(...step: [phase: Phase, detail?: string, stuck?: string]): void {
    this.#last = step
    for (const connecting of this.#joined) connecting.enter(...step)
  }

  /** The first that has somebody to ask, asks. */
  async ask(question: Question): Promise<string | undefined> {
    const resume = this.pause()
    try {
      for (const connecting of [...this.#joined]) {
        const answer = await connecting.ask(question)
        if (answer !== undefined) return answer
      }
      return undefined
    } finally {
      resume()
    }
  }

  pause(): () => void {
    this.#pauseCount++
    for (const connecting of this.#joined) {
      if (!this.#pauses.has(connecting)) this.#pauses.set(connecting, connecting.pause())
    }
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      if (--this.#pauseCount === 0) for (const connecting of [...this.#pauses.keys()]) this.#resume(connecting)
    }
  }

  #resume(connecting: Connecting): void {
    this.#pauses.get(connecting)?.()
    this.#pauses.delete(connecting)
  }
}
