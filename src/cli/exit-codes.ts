/** What the command line exits with: 0 all went well, 1 remote code failed, 2 usage, 3 a gateway did not come to life, 130 interrupted. */
import {
  AuthenticationError,
  BootstrapError,
  HostKeyError,
  HostNotFoundError,
  ProvideError,
  XSpecError,
} from '../index.js'

export const notConnected = 3
export const interrupted = 130

/** The error of a gateway that did not come to life. */
export type ConnectFailure = BootstrapError | HostNotFoundError | AuthenticationError | HostKeyError

/** Whether an error is one of those. */
export function isConnectFailure(error: unknown): error is ConnectFailure {
  return [BootstrapError, HostNotFoundError, AuthenticationError, HostKeyError].some((kind) => error instanceof kind)
}

/** The code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof XSpecError || error instanceof ProvideError || error instanceof UsageError) return 2
  return isConnectFailure(error) ? notConnected : 1
}

/** The words of the command are wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
