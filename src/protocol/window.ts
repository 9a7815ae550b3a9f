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

  /** Whether so many bytes, on top of what is outstanding, would use it up. */
  isUsedUpBy(bytes: number): boolean {
    return this.#outstanding + bytes >= this.#bytes
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
  /** What the peer does not have yet, as if it were outstanding. */
  #reserved = 0

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
    const outstanding = this.#held + this.#due + this.#reserved
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
    return this.#due < (this.#bytes - this.#reserved) / 4 ? 0 : this.#takeDue()
  }

  /** The peer has only so much of the window to begin with. */
  narrow(bytes: number): void {
    this.#reserved = Math.max(0, this.#bytes - bytes)
  }

  /** Gives the peer all of the window; returns what to give back now, 0 when it has it. */
  widen(): number {
    if (this.#reserved === 0) return 0
    this.#due += this.#reserved
    this.#reserved = 0
    return this.#takeDue()
  }

  #takeDue(): number {
    const due = this.#due
    this.#due = 0
    return due
  }
}
