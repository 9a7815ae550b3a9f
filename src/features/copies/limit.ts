/** For how long a copy may go on: until its time is up, or its caller gives up. */
import { addAbortListener, checkWait, removeAbortListener, TimeoutError, Timer, type WaitOptions } from '../../core.js'

/** Waits for `work`, which is told by a signal when to stop. */
export async function within<T>(
  intent: string,
  options: WaitOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  checkWait(options)
  const { timeout, signal } = options
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal?.reason)
  const late = (): void => controller.abort(new TimeoutError(`${intent}: not done after ${timeout} ms`))
  const timer = timeout === undefined ? undefined : new Timer(timeout, late)
  if (signal !== undefined) addAbortListener(signal, stop)
  if (signal?.aborted) stop()
  try {
    controller.signal.throwIfAborted()
    return await work(controller.signal)
  } catch (error) {
    controller.signal.throwIfAborted()
    throw error
  } finally {
    timer?.stop()
    if (signal !== undefined) removeAbortListener(signal, stop)
  }
}
