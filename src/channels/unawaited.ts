/**
 * Promises that nobody has to wait for. What they reject with when a channel or its gateway is over is told by `receive`, `waitClose`
 * and `closed` as well, so Node need not end the program for it. What the caller did wrong is told nowhere else: it stays unhandled.
 */
import { BootstrapError, ChannelClosedError, GatewayClosedError } from '../errors.js'

/** Whether an error only says that a channel or its gateway is over. */
export function saysItIsOver(error: unknown): boolean {
  const isOver = error instanceof ChannelClosedError || error instanceof GatewayClosedError
  return isOver || error instanceof BootstrapError
}

/** A rejected promise; one that only says that something is over needs nobody who handles it. */
export function refusal(error: unknown): Promise<never> {
  const refused = Promise.reject(error)
  if (saysItIsOver(error)) needsNobody(refused)
  return refused
}

/**
 * Has Node take a promise for handled. To be called when its error has been made: V8 follows `await` into a stack only
 * as long as a promise has a single listener.
 */
export function needsNobody(promise: Promise<unknown>): void {
  promise.catch(() => undefined)
}

/** What senders wait for: those whose items are taken together wait together. */
export class Sent {
  #taken: Promise<boolean> | undefined
  #sent: Promise<void> | undefined

  /**
   * @param taken - Whether their items were taken, or dropped.
   * @param begin - Keeps the process alive; what it gives lets go.
   */
  when(taken: Promise<boolean>, begin: () => () => void, makeError: () => Error): Promise<void> {
    if (this.#sent !== undefined && this.#taken === taken) return this.#sent
    const sent: Promise<void> = passed(taken.finally(begin()), makeError, () => needsNobody(sent))
    this.#taken = taken
    this.#sent = sent
    return sent
  }
}

async function passed(taken: Promise<boolean>, makeError: () => Error, onFailure: () => void): Promise<void> {
  if (await taken) return
  const error = makeError()
  onFailure()
  throw error
}
