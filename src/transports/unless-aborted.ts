/** Waiting that can be given up, for work that goes on without whoever waited. */

/**
 * What a promise comes to, unless a signal is aborted first.
 *
 * @throws The signal's reason then; the promise is left to itself.
 */
export async function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  value.catch(() => undefined) // nobody may be left to hear of it
  signal.throwIfAborted()
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([value, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
