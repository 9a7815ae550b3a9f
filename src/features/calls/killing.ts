/** The end of a worker for the sake of a request that goes on after its time: only where that was asked for, and when it takes nothing else with it. */
import { sleepQuietly, TimeoutError, Timer } from '../../core.js'
import type { KillAfter } from './call-options.js'
import type { Performer } from './performer.js'

// How long until the worker is looked at again, when something else runs there.
const LOOK_AGAIN_MS = 50
// A worker that can answer does so in less, beside a round trip.
const ANSWER_MS = 1000
// How much longer it may be silent when others may be why.
const DOUBTFUL_MS = 9000

/** What killing needs. */
export interface KillingParts {
  readonly performer: Pick<Performer, 'hasBegun' | 'pings' | 'killFor' | 'obstacleTo' | 'othersRun'>
  readonly title: string
}

/** One that is on its way. */
export class Killing {
  readonly #parts: KillingParts
  readonly #number: number
  readonly #isHeard: () => boolean
  readonly #timer: Timer
  #isOver = false

  /** @param isHeard - Whether the worker has said anything since the call was given up. */
  constructor(parts: KillingParts, number: number, after: number | KillAfter, isHeard: () => boolean) {
    this.#parts = parts
    this.#number = number
    this.#isHeard = isHeard
    const { ms, withOthers = false } = typeof after === 'object' ? after : { ms: after }
    this.#timer = new Timer(ms, () => void this.#run(ms, withOthers))
  }

  /** The request is over. */
  stop(): void {
    this.#isOver = true
    this.#timer.stop()
  }

  unref(): void {
    this.#timer.unref()
  }

  async #run(ms: number, withOthers: boolean): Promise<void> {
    while (!this.#isOver && !withOthers && (await this.#othersRun())) await sleepQuietly(LOOK_AGAIN_MS)
    if (!this.#isOver) this.#kill(ms)
  }

  #othersRun(): Promise<boolean> {
    const answer = this.#parts.performer.othersRun(this.#number)
    return Promise.race([answer, this.#onSilence(answer)])
  }

  /**
   * A worker that does not answer is one in which somebody holds the interpreter. Who has begun, and was not heard of again, does it: nothing else can run.
   * Who has not begun does not. Otherwise it may be either, so that it is waited for longer.
   */
  async #onSilence(answer: Promise<boolean>): Promise<boolean> {
    const { performer } = this.#parts
    await sleepQuietly(ANSWER_MS + (performer.pings.roundTrip ?? 0))
    if (!performer.hasBegun(this.#number)) return answer
    if (this.#isHeard()) await sleepQuietly(DOUBTFUL_MS)
    return false
  }

  #kill(ms: number): void {
    const { performer, title } = this.#parts
    const obstacle = performer.obstacleTo(this.#number)
    const detail = obstacle === undefined ? '' : ` (${obstacle})`
    performer.killFor(
      this.#number,
      new TimeoutError(
        `${title} was aborted and could not be interrupted within ${ms} ms${detail}, so its worker was killed (killAfter)`,
      ),
    )
  }
}
