/** An item that has arrived, encoded until somebody takes it. It is small: as many may wait as a window has room for. */
import { decodeList, firstNumber, type ListRead } from './codec.js'
import type { Held, Pinned } from './held.js'
import { TooLong } from './too-long.js'
import { itemCost } from './window.js'

/** An item that has not been used: decoded only when it is, and then its window is given back. */
export interface Item {
  /** Bytes of its payload; absent where it has none. */
  readonly size?: number
  /** The number that it begins with, if it is a list that does: that can be told without decoding it. */
  readonly number?: number | undefined
  /** @throws {@link LoadError} when it cannot be read. */
  decode(): unknown
  /** As `decode`, of a list: as much of it as can be read. Absent where it is there as it is. */
  decodeList?(): ListRead
  /** Gives its window back: it has been used, or dropped. */
  consume(): void
}

/** What an item needs of the endpoint that it came to. */
export interface ItemOwner {
  readonly held: Held
  decode(payload: Uint8Array | TooLong): unknown
  /** Gives its window back. */
  consume(payloadBytes: number): void
}

/** One item. Who has taken it calls `consume` once, when it has been used. */
export class ReceivedItem implements Item {
  readonly size: number
  protected readonly payload: Uint8Array | TooLong
  readonly #owner: ItemOwner
  #isHeld = false
  #pinned: Pinned

  constructor(owner: ItemOwner, payload: Uint8Array | TooLong, size: number = payload.length) {
    this.#owner = owner
    this.payload = payload
    this.size = size
  }

  get number(): number | undefined {
    return firstNumber(this.payload instanceof TooLong ? this.payload.head : this.payload)
  }

  decode(): unknown {
    return this.#owner.decode(this.payload)
  }

  decodeList(): ListRead {
    return decodeList(this.payload, (payload) => this.#owner.decode(payload))
  }

  /** Counts it among what nobody has taken, until it is consumed. */
  hold(): void {
    if (this.payload instanceof TooLong) return
    this.#isHeld = true
    this.#owner.held.hold(itemCost(this.size))
    this.#pinned = this.#owner.held.pin(this.payload)
  }

  consume(): void {
    if (this.#isHeld) {
      this.#owner.held.release(itemCost(this.size))
      this.#owner.held.unpin(this.#pinned)
    }
    this.#isHeld = false
    this.#owner.consume(this.size)
  }
}

/** One that is bytes alone: they are the item. */
export class ReceivedBytes extends ReceivedItem {
  override get number(): undefined {
    return undefined
  }

  override decode(): unknown {
    return this.payload
  }
}
