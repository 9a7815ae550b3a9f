/**
 * A gateway's way to its worker: the phases with their times, the connect timeout, questions to a person, and giving up.
 * What happens on the way is told here by the kind of gateway; whoever watches is told by `onPhase`.
 */
import { AuthenticationError, BootstrapError, HostKeyError, HostNotFoundError, type Phase } from '../errors.js'
import { asError } from '../thrown.js'
import { checkMs, monotonicMs } from '../timer.js'
import type { Connecting, Prompt, Question } from '../transports/connecting.js'
import { Countdown } from './countdown.js'
import { timeoutFault } from './end.js'
import type { Trace } from './trace.js'
import { watch } from './watching.js'

/** One step of a gateway on its way to a worker. The last one has the phase `ready`, or an error. */
export interface PhaseEvent {
  /** The id of the gateway. */
  readonly gateway: string
  /** What begins now; beside an `error`, where the way ended. */
  readonly phase: Phase
  /** What the phase deals with, such as `10.0.0.4 port 22`; for `ready` the interpreter. */
  readonly detail?: string | undefined
  /** Milliseconds since the gateway was launched. */
  readonly elapsedMs: number
  /** Why no worker came to life: the error that `ready` rejects with. */
  readonly error?: Error | undefined
}

/** Takes the steps of gateways on their way, as they happen. */
export type OnPhase = (event: PhaseEvent) => void

/** What is known of a gateway that is to carry another one. */
export interface Carrier {
  readonly id: string
  readonly isReceiving: boolean
  readonly ready: Promise<unknown>
}

/** What a way is made with. */
export interface OpeningOptions {
  readonly gateway: string
  readonly timeoutMs?: number | undefined
  readonly prompt?: Prompt | undefined
  readonly onPhase?: OnPhase | undefined
  readonly trace?: Trace | undefined
}

const CONNECT_TIMEOUT_MS = 15_000

/** One gateway's way. It has ended when the worker is there or the gateway has ended, and tells nothing after that. */
export class Opening implements Connecting {
  readonly #options: OpeningOptions
  readonly #began = monotonicMs()
  readonly #abort = new AbortController()
  readonly #countdown: Countdown
  #giveUp: (fault: Error) => void = () => undefined
  #phase: Phase | undefined
  #detail: string | undefined
  #stuck: string | undefined
  #hasEnded = false
  /** What is entered while the carrier is still on its own way, to be told when it has arrived. */
  #ahead: Parameters<Connecting['enter']> | undefined
  #isFollowing = false

  constructor(options: OpeningOptions) {
    this.#options = options
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS
    checkMs('timeout', timeoutMs)
    this.#countdown = new Countdown(timeoutMs, () =>
      this.#fail(timeoutFault({ phase: this.#phase, detail: this.#detail, stuck: this.#stuck }, timeoutMs)),
    )
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Where the way is, or ended; undefined when its kind enters no phases. */
  get phase(): Phase | undefined {
    return this.#phase
  }

  /** Whether an interpreter has been started, as far as is known: what remains is for it to say hello. */
  get hasStarted(): boolean {
    return this.#phase === undefined || this.#phase === 'python' || this.#phase === 'ready'
  }

  /** Starts the clock for kinds that enter no phase. @param giveUp - Called when the way cannot be gone to its end, with why. */
  begin(giveUp: (fault: Error) => void): void {
    this.#giveUp = giveUp
    this.#countdown.start()
  }

  /** What a carrier still has to do on its own way is not charged to the gateway that it is to carry. */
  follow(carrier: Carrier): void {
    if (carrier.isReceiving) return
    this.enter('connect', `via ${carrier.id}`)
    this.#isFollowing = true
    const resume = this.pause()
    const goOn = (): void => {
      this.#isFollowing = false
      if (this.#ahead !== undefined) this.enter(...this.#ahead)
      resume()
    }
    carrier.ready.then(goOn, resume)
  }

  enter(phase: Phase, detail?: string, stuck?: string): void {
    if (this.#isFollowing) {
      this.#ahead = [phase, detail, stuck]
      return
    }
    if (this.#hasEnded || (phase === this.#phase && detail === this.#detail)) return
    this.#phase = phase
    this.#detail = detail
    this.#stuck = stuck
    this.#countdown.start()
    this.#tell({ phase, detail })
  }

  async ask(question: Question): Promise<string | undefined> {
    const { prompt, gateway } = this.#options
    if (prompt === undefined || this.#hasEnded || this.signal.aborted) return undefined
    const resume = this.pause()
    let stopWaiting = (): void => undefined
    const givenUp = new Promise<undefined>((resolve) => {
      stopWaiting = () => resolve(undefined)
    })
    this.signal.addEventListener('abort', stopWaiting)
    try {
      return await Promise.race([prompt(question, { gateway, signal: this.signal }), givenUp])
    } catch (error) {
      this.#fail(asError(error))
      return undefined
    } finally {
      this.signal.removeEventListener('abort', stopWaiting)
      resume()
    }
  }

  pause(): () => void {
    return this.#countdown.pause()
  }

  /** The worker is there. @param interpreter - What it is, in words. */
  arrive(interpreter: string): void {
    this.enter('ready', interpreter)
    this.#finish()
  }

  /** The gateway has ended, before its worker was there or long after. @param why - Asked for the error only in the first case. */
  end(why: () => Error): void {
    if (this.#hasEnded) return
    this.#finish()
    const error = why()
    this.#tell({ phase: phaseOf(error) ?? this.#phase ?? 'resolve', detail: this.#detail, error })
    this.abort()
  }

  /** Gives the way up, if it has not come to its end. */
  abort(): void {
    if (this.#phase !== 'ready') this.#abort.abort(new Error('the gateway was given up'))
  }

  #fail(fault: Error): void {
    if (this.#hasEnded) return
    this.#giveUp(fault)
    this.abort()
  }

  #finish(): void {
    this.#hasEnded = true
    this.#countdown.stop()
  }

  #tell(step: Pick<PhaseEvent, 'phase' | 'detail' | 'error'>): void {
    this.#options.trace?.phase(step.phase, step.detail, step.error)
    watch(this.#options.onPhase, { gateway: this.#options.gateway, ...step, elapsedMs: monotonicMs() - this.#began })
  }
}

/** Where an error says that the way ended. */
function phaseOf(error: Error): Phase | undefined {
  const classes = [HostNotFoundError, HostKeyError, AuthenticationError, BootstrapError]
  for (const each of classes) if (error instanceof each) return error.phase
  return undefined
}
