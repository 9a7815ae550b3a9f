/** What tests expect to fail. */
import { RemoteError } from '../src/index.js'

/** What a promise is rejected with; an error that says so when it is fulfilled. */
export function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => new Error(`no error but ${String(value)}`),
    (error: unknown) => error,
  )
}

/** The error of Python that a promise is rejected with. */
export async function remoteErrorOf(promise: Promise<unknown>): Promise<RemoteError> {
  const error = await errorOf(promise)
  if (error instanceof RemoteError) return error
  throw new Error(`not a RemoteError: ${String(error)}`)
}
