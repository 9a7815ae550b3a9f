/** What the command line exits with: 0 all went well, 1 remote code failed, 2 usage, 3 a gateway did not come to life, 130 interrupted. */
import {
  AuthenticationError,
  BootstrapError,
  HostKeyError,
  HostNotFoundError,
  ProvideError,
  SourceError,
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
  if (
    error instanceof XSpecError ||
    error instanceof ProvideError ||
    error instanceof SourceError ||
    error instanceof UsageError
  )
    return 2
  return isConnectFailure(error) ? notConnected : 1
}

/** Whether an error says why a gateway did not come to life: its last phase event has it, too. */
export function isOpeningFailure(error: unknown): boolean {
  return isConnectFailure(error) || error instanceof XSpecError || error instanceof ProvideError
}

/** The code of what has kept a gateway from coming to life. */
export function openingCodeOf(error: unknown): number {
  return exitCodeOf(error) === 2 ? 2 : notConnected
}

/** The words of the command are wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
