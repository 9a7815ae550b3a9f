/** How far the gateways of a command are: a live line on a terminal, the failures as they happen, a summary where it tells something. */
import type { PhaseEvent, XSpec } from '../index.js'
import { exitCodeOf, isOpeningFailure, openingCodeOf } from './exit-codes.js'
import type { Screen } from './screen.js'

/** Follows the gateways of a command from launch to ready or failed. */
export class Progress {
  readonly #screen: Screen
  readonly #total: number
  readonly #tellsMuch: boolean
  // Who has been silent for longest comes first: that is who everybody waits for.
  readonly #connecting = new Map<string, PhaseEvent>()
  #ready = 0
  #failed = 0
  #exitCode = 0
  #isOver = false
  readonly #told = new Set<string>()

  constructor(screen: Screen, specs: readonly XSpec[]) {
    this.#screen = screen
    this.#total = specs.length
    this.#tellsMuch = specs.some(({ popen }) => !popen)
  }

  /** The highest code of those that did not come to life; 0 when all did. */
  get exitCode(): number {
    return this.#exitCode
  }

  /** The exit code of a gateway's failure, which has been told here. @throws What is no such thing: it is for others to tell. */
  exitCodeOf(error: unknown): number {
    if (this.#failed > 0 && isOpeningFailure(error)) return exitCodeOf(error)
    throw error
  }

  /** Takes the steps of all of them. */
  readonly onPhase = (event: PhaseEvent): void => {
    if (this.#isOver) return
    this.#connecting.delete(event.gateway)
    if (event.error !== undefined) {
      this.#failed++
      this.#exitCode = Math.max(this.#exitCode, openingCodeOf(event.error))
      this.#tell(event.gateway, event.error.message)
    } else if (event.phase === 'ready') {
      this.#ready++
    } else {
      this.#connecting.set(event.gateway, event)
    }
    if (this.#ready + this.#failed < this.#total) this.#screen.setStatus(this.#text())
    else this.#finish()
  }

  /** Tells nothing from now on: the command has been interrupted. */
  stop(): void {
    this.#isOver = true
    this.#screen.setStatus('')
  }

  /** Once, of all the gateways that have failed alike: how many those are, the summary says. */
  #tell(gateway: string, message: string): void {
    const what = message.replace(`gateway ${gateway} `, '')
    if (this.#told.has(what)) return
    this.#told.add(what)
    this.#screen.print('stderr', `tendril: ${message}`)
  }

  #finish(): void {
    this.stop()
    if (this.#total === 1 || (this.#failed === 0 && !this.#tellsMuch)) return
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`
    this.#screen.print('stderr', `tendril: ${this.#ready} of ${this.#total} gateways ready${failed}`)
  }

  /** `12/50 ready, 2 failed, 36 connecting (authenticate web7 …)` */
  #text(): string {
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`
    const connecting = this.#total - this.#ready - this.#failed
    const [oldest] = this.#connecting.values()
    const slowest = oldest === undefined ? '' : ` (${oldest.phase} ${oldest.gateway} …)`
    return `${this.#ready}/${this.#total} ready${failed}, ${connecting} connecting${slowest}`
  }
}
