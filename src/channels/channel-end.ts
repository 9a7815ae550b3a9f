/** How a channel ended, in errors for those who ask and those who send. */
import { BootstrapError, ChannelClosedError, EndOfChannelError, GatewayClosedError } from '../errors.js'
import type { MakeError } from '../protocol/receiver.js'

/** One channel's; it has none while it is open. */
export class ChannelEnd {
  readonly #channel: { toString(): string }
  #makeError: MakeError | undefined
  #onTold: (() => void) | undefined

  constructor(channel: { toString(): string }) {
    this.#channel = channel
  }

  /** Whether it ended with a failure. */
  get isFailure(): boolean {
    return this.#makeError !== undefined
  }

  /**
   * The channel has failed; only the first failure counts.
   *
   * @param onTold - Called when somebody is told.
   */
  fail(makeError: MakeError, onTold?: () => void): void {
    if (this.#makeError !== undefined) return
    this.#makeError = makeError
    this.#onTold = onTold
  }

  /** The error for somebody who asks how it ended. */
  error(): Error {
    this.#onTold?.()
    return this.#makeError?.() ?? new EndOfChannelError(`${this.#channel} has no more items`)
  }

  /** The error for somebody who sends. */
  sendError(isClosed: boolean): Error {
    const cause = this.#makeError?.()
    if (cause instanceof GatewayClosedError || cause instanceof BootstrapError) return cause
    if (cause !== undefined) {
      return new ChannelClosedError(`cannot send on ${this.#channel}: it has been closed by a failure`, { cause })
    }
    return new ChannelClosedError(
      `cannot send on ${this.#channel}: ${isClosed ? 'it is closed' : 'its end has been sent'}`,
    )
  }
}
