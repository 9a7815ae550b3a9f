/** The error of remote code: Python's exception with its traceback, as an error here. Part of `errors.ts`. */
import { type RemoteFailure, type RemoteFrame, remoteFailureFrom } from './remote-failure.js'
import { TendrilError } from './tendril-error.js'

/** The code on the other side raised, or the peer closed the channel with a text. */
export class RemoteError extends TendrilError {
  readonly code = 'ERR_REMOTE'
  readonly #failure: RemoteFailure

  constructor(failure: RemoteFailure) {
    super(failure.message, failure.cause && { cause: causeOf(failure.cause) })
    this.#failure = failure
    const { traceback, message } = failure
    if (traceback !== message) this.stack = `${this.stack}\n${remoteStack(failure)}`
  }

  /** The name of Python's class, such as `ValueError`; empty when the peer closed with a text. */
  get type(): string {
    return this.#failure.type
  }

  /** The module that class is from, such as `builtins` or `json.decoder`. */
  get module(): string {
    return this.#failure.module
  }

  /** The exception's `args`; members that could not be sent are their `repr`. */
  get args(): readonly unknown[] {
    return this.#failure.args
  }

  /** The traceback as Python prints it, with its causes. */
  get traceback(): string {
    return this.#failure.traceback
  }

  /** The lines of the traceback, outermost first. */
  get frames(): readonly RemoteFrame[] {
    return this.#failure.frames
  }

  /** The gateway whose code raised. */
  get gatewayId(): string {
    return this.#failure.gatewayId
  }
}

function remoteStack(failure: RemoteFailure): string {
  return `--- remote traceback (${failure.gatewayId}) ---\n${failure.traceback.trimEnd()}`
}

/** The JavaScript frames are those of the error it caused: printing them twice would only hide the traceback. */
function causeOf(failure: RemoteFailure): RemoteError {
  const error = new RemoteError(failure)
  error.stack = `${error.name}: ${failure.message}\n${remoteStack(failure)}`
  return error
}

/**
 * Makes a `RemoteError` of the reason that a CLOSE frame carried (PROTOCOL.md §4).
 *
 * @param reason - The decoded payload: text, or a failure dict. Whatever else a peer may have sent
 *   is read as far as it makes sense; this never throws.
 * @param gatewayId - The gateway that the reason came from.
 * @example
 * ```ts
 * remoteErrorFrom({ type: 'ValueError', message: '17' }, 'gw0').message // 'ValueError: 17'
 * remoteErrorFrom('out of paper', 'gw0').message // 'out of paper'
 * ```
 */
export function remoteErrorFrom(reason: unknown, gatewayId: string): RemoteError {
  return new RemoteError(remoteFailureFrom(reason, gatewayId))
}
