/** Somebody on the way to a host, for tests of what leads there: notes what is told, and answers what is asked. */
import type { Phase } from '../../../src/errors.js'
import type { Connecting, Question } from '../../../src/transports/connecting.js'

export class Traveller implements Connecting {
  /** The phases, with what each deals with. */
  readonly told: string[] = []
  readonly asked: string[] = []
  readonly #pauses = new Set<object>()
  readonly #abort = new AbortController()
  readonly #answer: string | undefined
  #heard: (() => void) | undefined

  /** @param answer - To whatever it is asked. */
  constructor(answer?: string) {
    this.#answer = answer
  }

  /** How many hold its clock now. */
  get pauses(): number {
    return this.#pauses.size
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  enter(phase: Phase, detail?: string): void {
    this.told.push(detail === undefined ? phase : `${phase}: ${detail}`)
    this.#heard?.()
  }

  ask({ text }: Question): Promise<string | undefined> {
    this.asked.push(text)
    return Promise.resolve(this.#answer)
  }

  pause(): () => void {
    const pause = {}
    this.#pauses.add(pause)
    return () => this.#pauses.delete(pause)
  }

  giveUp(): void {
    this.#abort.abort(new Error('enough'))
  }

  /** Waits until a phase has begun. */
  async reaches(phase: Phase): Promise<void> {
    while (!this.told.some((each) => each.startsWith(phase))) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }
}
