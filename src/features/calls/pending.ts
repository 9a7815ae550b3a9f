/** The requests of a session that were not answered yet, by their numbers: a number is a request's place among all that were sent. */
import type { AsyncResource } from 'node:async_hooks'
import type { Reply } from './performer.js'

/** Stands for the reply to a request that the worker cannot have read. */
export const notSent: Reply = [0, null]
/** And for that to one which waited behind another until the worker was killed. */
export const notBegun: Reply = [0, null]

// Of what a request is about, in the error of one that was aborted.
const MAX_TITLE = 60

/** A request that was not answered yet. */
interface PendingRequest {
  readonly onReply: (reply: Reply | undefined) => void
  /** What it is, for errors, where its operation and what that is about do not say it. */
  readonly title: string | (() => string) | undefined
  readonly operation: unknown
  readonly subject: unknown
  /** Where it was made. */
  readonly context: AsyncResource
  /** It does not keep the process alive. */
  readonly isQuiet: boolean
  /** An item was sent ahead of it that says where it is to begin. */
  readonly isPlaced: boolean
  /** It goes where all do, and so begins in its turn. */
  readonly isInLane: boolean
}

/** What the worker has said of a request. */
interface Known {
  /** It has begun, which only some are told of. */
  readonly hasBegun?: boolean
  /** It is awaited there: others may begin. */
  readonly isAwaited?: boolean
  /** Why it will not be interrupted. */
  readonly obstacle?: string
}

/** Those of one session. */
export class Pending {
  readonly #requests = new Map<number, PendingRequest>()
  readonly #known = new Map<number, Known>()
  #quiet = 0

  get size(): number {
    return this.#requests.size
  }

  get numbers(): number[] {
    return [...this.#requests.keys()]
  }

  has(number: number): boolean {
    return this.#requests.has(number)
  }

  /** Whether there is none that keeps the process alive. */
  get isIdle(): boolean {
    return this.#requests.size === this.#quiet
  }

  add(number: number, request: PendingRequest): void {
    if (request.isQuiet) this.#quiet++
    this.#requests.set(number, request)
  }

  /** @param reply - Undefined when there will be none. */
  settle(number: number, reply: Reply | undefined): void {
    const request = this.#requests.get(number)
    request?.onReply(reply)
    if (this.#known.size > 0) this.#known.delete(number)
    if (this.#requests.delete(number) && request?.isQuiet === true) this.#quiet--
  }

  /** The last request of which the worker may have read anything, when so many items were not sent, and `last` is the last one. */
  lastSent(last: number, unsent: number): number {
    let number = last
    for (let items = unsent; items > 0; number--) items -= this.#requests.get(number)?.isPlaced === true ? 2 : 1
    return number
  }

  /** The worker has told something. */
  learn(number: number, known: Known): void {
    if (this.#requests.has(number)) this.#known.set(number, { ...this.#known.get(number), ...known })
  }

  knownOf(number: number): Known {
    return this.#known.get(number) ?? {}
  }

  /** Those that cannot have begun while a request runs, if the worker performs one at a time. */
  behind(number: number): ReadonlySet<number> {
    const { hasBegun = false, isAwaited = false } = this.knownOf(number)
    const holdsLane = hasBegun && !isAwaited && this.#requests.get(number)?.isInLane === true
    const others = [...this.#requests].filter(([other, { isInLane }]) => holdsLane && isInLane && other > number)
    return new Set(others.map(([other]) => other))
  }

  /** In what asynchronous context one was made. */
  contextOf(number: number): AsyncResource | undefined {
    return this.#requests.get(number)?.context
  }

  /** What one is about; below 0 are the numbers of tasks' channels. */
  titleOf(number: number): string {
    if (number < 0) return `the task of channel ${-number}`
    const request = this.#requests.get(number)
    if (request === undefined) return `request ${number}`
    const { title, operation, subject } = request
    return typeof title === 'function' ? title() : (title ?? titleOf(operation, subject))
  }
}

/** What a request is about that has no title of its own. */
export function titleOf(operation: unknown, subject: unknown): string {
  return `${operation}(${JSON.stringify(String(subject).slice(0, MAX_TITLE))})`
}
