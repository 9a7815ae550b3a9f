/**
 * Requests that can end before their time (PROTOCOL.md §12; twin: interrupting.py): aborted, a request is taken back when it was
 * not begun, else interrupted. What cannot be interrupted soon is given up: it goes on, and nobody waits for it; its worker is killed only
 * where that was asked for.
 */
import {
  addAbortListener,
  type BaseGateway,
  monotonicMs,
  removeAbortListener,
  TimeoutError,
  Timer,
} from '../../core.js'
import { errorOfReply } from './call-errors.js'
import type { CallOptions } from './call-options.js'
import { Killing } from './killing.js'
import type { Performer, Reply, SendOptions } from './performer.js'

/** How a request ended; `why` gives what to reject with when it was aborted. */
export interface Over {
  readonly reply: Reply | undefined
  readonly why: (() => Error) | undefined
  /** It was aborted, and still runs. */
  readonly isGivenUp?: boolean
}

// How long an interrupt is waited for beside a round trip: what Python can interrupt at all has been by then.
const PATIENCE_MS = 100
// How long that round trip may take, when it took less before: C code may hold the whole interpreter.
const DEAF_MS = 300
// The same while it is not known: the link may be long, and the worker has to get ready for requests.
const UNKNOWN_MS = 3000

/** What sending a request that can be aborted needs. */
export interface AbortableParts extends SendOptions {
  readonly gateway: BaseGateway
  readonly performer: Performer
  readonly title: string
}

/**
 * Sends a request that can be aborted; `onOver` is called once, when the remote work is over.
 *
 * @throws The reason of a signal that has been aborted: nothing is sent, then; what `performer.send` throws.
 */
export function sendAbortable(
  parts: AbortableParts,
  options: CallOptions,
  request: readonly unknown[],
  onOver: (over: Over) => void,
): void {
  options.signal?.throwIfAborted()
  if (parts.gateway.isReceiving) parts.performer.pings.measure()
  new Abortable(parts, options, onOver).send(request)
}

/** Makes what to reject with. @param note - What else is to be said of what became of the work. */
type MakeReason = (note: string, cause: Error | undefined) => Error

/** One request on its way: it is answered, or aborted and answered, or given up. */
class Abortable {
  readonly #parts: AbortableParts
  readonly #options: CallOptions
  readonly #onOver: (over: Over) => void
  readonly #sentAt = monotonicMs()
  #number = 0
  #timer: Timer | undefined
  #makeReason: MakeReason | undefined
  #patience: Timer | undefined
  #killing: Killing | undefined
  /** The worker has said something since the abort; and since it was given up, by when what could enter C code has. */
  #isHeard = false
  #isHeardAgain = false

  constructor(parts: AbortableParts, options: CallOptions, onOver: (over: Over) => void) {
    this.#parts = parts
    this.#options = options
    this.#onOver = onOver
  }

  send(request: readonly unknown[]): void {
    const { performer, gateway: _, ...sending } = this.#parts
    const { signal, timeout, killAfter } = this.#options
    const options = { ...sending, tellsBegin: killAfter !== undefined }
    this.#number = performer.send(request, (reply) => this.#onReply(reply), options)
    if (signal !== undefined) addAbortListener(signal, this.#onAbort)
    if (timeout === undefined) return
    this.#timer = new Timer(timeout, () => this.#abort(this.#late))
    if (sending.isQuiet === true) this.#timer.unref()
  }

  readonly #onAbort = (): void => this.#abort(() => this.#options.signal?.reason)

  readonly #late: MakeReason = (note, cause) =>
    new TimeoutError(`${this.#parts.title} took more than ${this.#options.timeout} ms${note}`, { cause })

  #abort(makeReason: MakeReason): void {
    const { gateway, performer } = this.#parts
    this.#stopListening()
    this.#makeReason = makeReason
    performer.command('interrupt', this.#number)
    // While there is no worker nothing runs, and whoever aborts is not to wait for one.
    if (!gateway.isReceiving) return performer.drop(this.#number)
    const { roundTrip } = performer.pings
    const deafMs = roundTrip === undefined ? UNKNOWN_MS : Math.max(roundTrip, DEAF_MS)
    this.#patience = new Timer(PATIENCE_MS + deafMs, () => this.#giveUp())
    performer.pings.whenAnswered(() => {
      this.#isHeard = true
      if (this.#patience?.stop() === true) this.#patience = new Timer(PATIENCE_MS, () => this.#giveUp())
    })
    const { killAfter } = this.#options
    if (killAfter !== undefined)
      this.#killing = new Killing(this.#parts, this.#number, killAfter, () => this.#isHeardAgain)
  }

  #giveUp(): void {
    this.#killing?.unref() // when the program has nothing else to do its worker ends anyway
    this.#parts.performer.givenUp.add(this.#number, this.#parts.title)
    const note = this.#isHeard
      ? '; it could not be interrupted, and still runs'
      : '; its worker does not answer, and it may still run'
    this.#parts.performer.pings.whenAnswered(() => {
      this.#isHeardAgain = true
    })
    this.#end(undefined, note, true)
  }

  #onReply(reply: Reply | undefined): void {
    const { gateway, performer } = this.#parts
    this.#stopListening()
    this.#patience?.stop()
    this.#killing?.stop()
    if (performer.givenUp.has(this.#number)) return performer.givenUp.delete(this.#number)
    const behind = performer.takeBehind(this.#number)
    const note =
      performer.givenUp.reasonToWait(this.#sentAt) || (behind === undefined ? '' : `: it waited behind ${behind}`)
    const wasNotBegun = this.#makeReason !== undefined && reply === undefined && gateway.isReceiving
    this.#end(reply, wasNotBegun ? note : '')
  }

  #end(reply: Reply | undefined, note: string, isGivenUp = false): void {
    const cause = reply?.[2] == null ? undefined : errorOfReply(reply[2], this.#parts.gateway.id)
    const makeReason = this.#makeReason
    this.#onOver({ reply, why: makeReason && (() => makeReason(note, cause)), isGivenUp })
  }

  #stopListening(): void {
    this.#timer?.stop()
    if (this.#options.signal !== undefined) removeAbortListener(this.#options.signal, this.#onAbort)
  }
}
