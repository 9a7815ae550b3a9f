/** What ends a call before its time, as users say it. */
import { inspect } from 'node:util'
import { checkMs, checkWait } from '../../core.js'

/** What every call takes beside what it is about. */
export interface CallOptions {
  /** Aborting ends the remote work, and then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds after which it is aborted, with a TimeoutError; unlimited when absent. */
  readonly timeout?: number | undefined
  /**
   * Milliseconds, from the timeout or the abort on, after which the worker is killed if the work still runs: as soon as nothing else of yours
   * runs there; with `withOthers`, whatever does. Nobody is killed when it is absent.
   */
  readonly killAfter?: number | KillAfter | undefined
}

/** When a worker is killed for the sake of a call. */
export interface KillAfter {
  /** Milliseconds, from the timeout or the abort on. */
  readonly ms: number
  /** Whether what else runs there is killed with it; false when absent: its end is waited for. */
  readonly withOthers?: boolean | undefined
}

/** @throws RangeError for a time that is none; TypeError for what are no options, or a signal that is none. */
export function checkCallOptions(options: CallOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`the options must be in an object, such as { timeout: 300 }, not ${inspect(options)}`)
  checkWait(options)
  const { killAfter } = options
  checkMs('killAfter', typeof killAfter === 'object' ? (killAfter?.ms ?? killAfter) : killAfter)
}

/** Whether a request with these options is one that can be aborted. Whatever way they were given, they come by here, and are checked. */
export function canBeAborted(options: CallOptions | null | undefined): options is CallOptions {
  if (options == null) return false
  checkCallOptions(options)
  return options.signal !== undefined || options.timeout !== undefined
}
