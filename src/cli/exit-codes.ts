/** What the command line exits with: 0 all went well, 1 remote code failed, 2 usage, 3 no gateway came to life, 130 interrupted. */
import { AuthenticationError, BootstrapError, HostKeyError, HostNotFoundError, XSpecError } from '../index.js'

export const interrupted = 130

/** The code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof XSpecError || error instanceof UsageError) return 2
  const isConnecting = [BootstrapError, HostNotFoundError, AuthenticationError, HostKeyError].some(
    (kind) => error instanceof kind,
  )
  return isConnecting ? 3 : 1
}

/** The words of the command are wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
