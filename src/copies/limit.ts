/** For how long a copy may go on: until its time is up, or its caller gives up. */
import { TimeoutError, type WaitOptions } from '../core.js'

/** Waits for `work`, which is told by a signal when to stop. */
export async function within<T>(
  intent: string,
  { timeout, signal }: WaitOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeout !== undefined && !(timeout >= 0))
    throw new RangeError(`timeout must be a number of milliseconds, not ${timeout}`)
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal?.reason)
  const late = (): void => controller.abort(new TimeoutError(`${intent}: not done after ${timeout} ms`))
  const timer = timeout === undefined || timeout >= 2 ** 31 ? undefined : setTimeout(late, timeout)
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  try {
    controller.signal.throwIfAborted()
    return await work(controller.signal)
  } catch (error) {
    controller.signal.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
