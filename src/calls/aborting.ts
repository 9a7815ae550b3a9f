/**
 * Requests that can end before their time (PROTOCOL.md §12; twin: interrupting.py): aborted, a request is taken back when it was
 * not begun, else interrupted; what cannot be interrupted is killed with its worker.
 */
import { type Gateway, RemoteError, remoteFailureFrom, TimeoutError } from '../core.js'

/** What every call takes beside what it is about. */
export interface CallOptions {
  /** Aborting ends the remote work, and then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds after which it is aborted, with a TimeoutError; unlimited when absent. */
  readonly timeout?: number | undefined
  /** Milliseconds that work which has been aborted may take to end, before its worker is killed: 2000 when absent, `Infinity` for ever. */
  readonly killAfter?: number | undefined
}

/**
 * A reply: the request's number, what it came to, and the failure that it came to instead; for an iterator, the channel of its
 * items. A negative number asks something of us.
 */
export type Reply = readonly [number: number, value: unknown, failure?: unknown, kind?: 'items']

/** How a request ended; `why` gives what to reject with when it was aborted. */
export interface Over {
  readonly reply: Reply | undefined
  readonly why: (() => Error) | undefined
}

/** What performs requests. */
export interface Performer {
  /** Sends a request, and gives its number; its reply is undefined when it has none. One that is quiet does not keep the process alive. */
  send(request: readonly unknown[], onReply: (reply: Reply | undefined) => void, isQuiet?: boolean): number
  /** Says what must not wait behind requests. */
  command(...command: readonly unknown[]): void
  /** Ends a request without a reply. */
  drop(number: number): void
  /** Why a request will not be interrupted, as far as the worker knows. */
  obstacleTo(number: number): string | undefined
}

const KILL_AFTER_MS = 2000
// What a timer can count: beyond it setTimeout would fire at once.
const MAX_TIMER_MS = 2 ** 31 - 1

/** Whether a request with these options is one that can be aborted. */
export function canBeAborted(options: CallOptions | undefined): options is CallOptions {
  return options?.signal !== undefined || options?.timeout !== undefined
}

/**
 * Sends a request that can be aborted; `onOver` is called once, when the remote work is over.
 *
 * @param title - What it is, for errors.
 * @throws The reason of a signal that has been aborted: nothing is sent, then; what `performer.send` throws.
 */
export function sendAbortable(
  parts: {
    readonly gateway: Gateway
    readonly performer: Performer
    readonly title: string
    readonly isQuiet?: boolean
  },
  options: CallOptions,
  request: readonly unknown[],
  onOver: (over: Over) => void,
): void {
  const { gateway, performer, title, isQuiet = false } = parts
  const { signal, timeout, killAfter = KILL_AFTER_MS } = options
  checkMs('timeout', timeout)
  checkMs('killAfter', killAfter)
  signal?.throwIfAborted()
  let makeReason: ((cause: Error | undefined) => Error) | undefined
  let killing: NodeJS.Timeout | undefined
  const onReply = (reply: Reply | undefined): void => {
    stopListening()
    clearTimeout(killing)
    const cause = reply?.[2] == null ? undefined : new RemoteError(remoteFailureFrom(reply[2], gateway.id))
    const reason = makeReason
    onOver({ reply, why: reason && (() => reason(cause)) })
  }
  const number = performer.send(request, onReply, isQuiet)
  const abort = (make: (cause: Error | undefined) => Error): void => {
    stopListening()
    makeReason = make
    performer.command('interrupt', number)
    // While there is no worker nothing runs, and whoever aborts is not to wait for one.
    if (!gateway.isReceiving) performer.drop(number)
    else if (killAfter <= MAX_TIMER_MS) killing = setTimeout(kill, killAfter)
  }
  const kill = (): void => {
    const obstacle = performer.obstacleTo(number)
    const detail = obstacle === undefined ? '' : ` (${obstacle})`
    gateway.fail(
      new TimeoutError(
        `${title} was aborted and could not be interrupted within ${killAfter} ms${detail}, so its worker was killed`,
      ),
    )
  }
  const onAbort = (): void => abort(() => signal?.reason)
  const timer =
    timeout !== undefined && timeout <= MAX_TIMER_MS
      ? setTimeout(
          () => abort((cause) => new TimeoutError(`${title} took more than ${timeout} ms`, { cause })),
          timeout,
        )
      : undefined
  if (isQuiet) timer?.unref()
  const stopListening = (): void => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  signal?.addEventListener('abort', onAbort)
}

function checkMs(name: string, value: number | undefined): void {
  if (value !== undefined && !(value >= 0))
    throw new RangeError(`${name} must be a number of milliseconds, not ${value}`)
}
