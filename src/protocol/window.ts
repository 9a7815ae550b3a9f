/**
 * A channel's byte windows (PROTOCOL.md §5), one for each way. They only count; who waits for room is the connection's affair.
 */
import { ProtocolError } from '../errors.js'
import { ITEM_OVERHEAD } from './frames.js'

/** What an item of so many payload bytes costs. */
export function itemCost(payloadBytes: number): number {
  return payloadBytes + ITEM_OVERHEAD
}

/** The window for what we send: the peer gives back what it has consumed. */
export class SendWindow {
  readonly #bytes: number
  #outstanding = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Whether an item may be started. It then completes, however large it is: the bound is the window and one item. */
  get hasRoom(): boolean {
    return this.#outstanding < this.#bytes
  }

  take(cost: number): void {
    this.#outstanding += cost
  }

  /** @throws {@link ProtocolError} when the peer gives back more than it has. */
  giveBack(cost: number): void {
    if (cost > this.#outstanding) {
      throw new ProtocolError(`CREDIT for ${cost} bytes when ${this.#outstanding} are outstanding`)
    }
    this.#outstanding -= cost
  }
}

/** The window for what we receive: the peer is held to it, and consumed bytes are given back in batches. */
export class ReceiveWindow {
  readonly #bytes: number
  #held = 0
  #due = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** The cost of what has arrived and has not been consumed. */
  get held(): number {
    return this.#held
  }

  /**
   * Checks that the peer may start an item. What is on its way to it as credit counts as given back, so it can never
   * seem to have more room to us than to itself.
   *
   * @throws {@link ProtocolError} when its window is used up.
   */
  start(): void {
    const outstanding = this.#held + this.#due
    if (outstanding >= this.#bytes) {
      throw new ProtocolError(`an item beyond the window: ${outstanding} bytes of ${this.#bytes} are outstanding`)
    }
  }

  arrive(cost: number): void {
    this.#held += cost
  }

  /** Counts what was consumed; returns what to give back now, often nothing. */
  consume(cost: number): number {
    this.#held -= cost
    this.#due += cost
    if (this.#due < this.#bytes / 4) return 0
    const due = this.#due
    this.#due = 0
    return due
  }
}
