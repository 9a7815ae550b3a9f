/**
 * What the worker asks, until it is performed. Questions wait while it does not read the answers, or for others to be answered, and keep
 * their room in the window meanwhile: who asks without end, and reads nothing, comes to the end of that.
 */

import { Fifo, Pace, saysItIsOver } from '../../core.js'

/** What is known of the answers. */
export interface AskedParts {
  /** Whether the worker has left so many answers unread that no other is to be made. */
  isFull(): boolean
}

/** A question. `perform` calls back when it has been answered, at once or later. */
interface Waiting {
  perform(onAnswered: () => void): void
  /** Gives its room in the window back. */
  consume(): void
}

// More than any worker has threads that could ask.
const MAX_OPEN = 16_384
// Turns of the queue of microtasks in which a function that waits for nothing has been answered.
const TURNS = 16

/** One session's. */
export class Asked {
  readonly #parts: AskedParts
  readonly #waiting = new Fifo<Waiting>()
  readonly #pace = new Pace()
  #open = 0
  #isPumping = false

  constructor(parts: AskedParts) {
    this.#parts = parts
  }

  add(question: Waiting): void {
    this.#waiting.push(question)
    if (!this.#isPumping) void this.#pump()
  }

  /** Answers have been read, or a question has been answered. */
  goOn(): void {
    if (!this.#isPumping && this.#waiting.length > 0) void this.#pump()
  }

  /** One after the other is begun: what the first comes to counts for the next. */
  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      while (this.#open < MAX_OPEN && !this.#parts.isFull()) {
        const question = this.#waiting.shift()
        if (question === undefined) break
        this.#pace.begin()
        this.#begin(question)
        for (let turn = 0; turn < TURNS; turn++) await Promise.resolve()
        if (this.#pace.end()) await this.#pace.break()
      }
    } finally {
      this.#isPumping = false
    }
  }

  #begin({ perform, consume }: Waiting): void {
    this.#open++
    consume()
    try {
      perform(() => {
        this.#open--
        this.goOn()
      })
    } catch (error) {
      this.#open--
      if (!saysItIsOver(error)) throw error // else whoever asked has ended, too
    }
  }
}
