/**
 * One channel as the connection sees it: its state, its two windows, what waits to be sent and what has half arrived.
 * A lane sends strictly in order; which lane has its turn is the connection's choice.
 */
import { ITEM_OVERHEAD, Kind } from './frames.js'
import { type ChannelEvent, type ChannelState, maySend, nextState } from './states.js'
import { itemCost, ReceiveWindow, SendWindow } from './window.js'

/** Something of a channel that waits for its turn: an item, or the END or CLOSE behind the items. */
export interface Outbound {
  readonly kind: number
  readonly flags: number
  readonly parts: readonly Uint8Array[]
  readonly size: number
  /** Called once: with nothing when the last byte has been handed over, with true when it never will be. */
  readonly onDone?: ((dropped?: boolean) => void) | undefined
}

/** The connection's side of one channel. */
export class Lane {
  readonly id: number
  state: ChannelState = 'open'
  /** Whether it stands in the connection's queue of lanes that have something to send. */
  isReady = false
  readonly #sendWindow: SendWindow
  readonly #receiveWindow: ReceiveWindow
  readonly #outbound: Outbound[] = []
  // Where in the first outbound's parts the next fragment starts.
  #part = 0
  #offset = 0
  #sent = 0
  #pieces: Uint8Array[] = []
  /** Bytes of the item that is still arriving. */
  pendingBytes = 0
  #isLeaving = false

  constructor(id: number, windowBytes: number) {
    this.id = id
    this.#sendWindow = new SendWindow(windowBytes)
    this.#receiveWindow = new ReceiveWindow(windowBytes)
  }

  /** Whether items may be sent: the state allows it, and no END or CLOSE waits behind what was sent before. */
  get maySend(): boolean {
    return !this.#isLeaving && maySend(this.state)
  }

  /** Whether a fragment could go out now: an item that has been started always may. */
  get canAdvance(): boolean {
    const first = this.#outbound[0]
    if (first === undefined) return false
    return first.kind !== Kind.DATA || this.#sent > 0 || this.#part > 0 || this.#sendWindow.hasRoom
  }

  /** Whether an item could go out at once: nothing waits before it, and the window has room. */
  get mayStartNow(): boolean {
    return this.#outbound.length === 0 && this.maySend && this.#sendWindow.hasRoom
  }

  /** Counts an item that goes out at once. */
  countStarted(payloadBytes: number): void {
    this.#sendWindow.take(itemCost(payloadBytes))
  }

  move(event: ChannelEvent): void {
    this.state = nextState(this.state, event, this.id)
  }

  enqueue(outbound: Outbound): void {
    if (outbound.kind !== Kind.DATA) this.#isLeaving = true
    this.#outbound.push(outbound)
  }

  /** Takes the next fragment: calls `onPart` for each run of its bytes, after `onHeader`. Returns the outbound when that was its last. */
  advance(
    maxBytes: number,
    onHeader: (outbound: Outbound, length: number, isLast: boolean) => void,
    onPart: (bytes: Uint8Array) => void,
  ): Outbound | undefined {
    const outbound = this.#outbound[0]
    if (outbound === undefined) return undefined
    if (outbound.kind === Kind.DATA && this.#sent === 0) this.countStarted(outbound.size)
    const length = Math.min(maxBytes, outbound.size - this.#sent)
    const isLast = this.#sent + length === outbound.size
    onHeader(outbound, length, isLast)
    this.#walk(outbound.parts, length, onPart)
    if (!isLast) return undefined
    this.#outbound.shift()
    this.#part = this.#offset = this.#sent = 0
    return outbound
  }

  #walk(parts: readonly Uint8Array[], length: number, onPart: (bytes: Uint8Array) => void): void {
    let left = length
    while (left > 0) {
      const part = parts[this.#part] ?? new Uint8Array(left)
      const bytes = this.#offset === 0 && part.length <= left ? part : part.subarray(this.#offset, this.#offset + left)
      onPart(bytes)
      left -= bytes.length
      this.#offset += bytes.length
      if (this.#offset === part.length) {
        this.#part++
        this.#offset = 0
      }
    }
    this.#sent += length
  }

  /** Gives up all that waits, because the peer has closed; what was sent in part stays in part, as the peer drops it. */
  drop(): void {
    for (const outbound of this.#outbound.splice(0)) outbound.onDone?.(true)
    this.#part = this.#offset = this.#sent = 0
    this.#pieces = []
  }

  /** Takes a fragment that arrived; returns the item's pieces when it is complete. */
  arrive(pieces: readonly Uint8Array[], hasMore: boolean): readonly Uint8Array[] | undefined {
    this.move('receiveData')
    if (this.state === 'closing') return undefined
    if (!hasMore && this.#pieces.length === 0) return pieces
    for (const piece of pieces) this.pendingBytes += piece.length
    this.#pieces.push(...pieces)
    if (hasMore) return undefined
    const item = this.#pieces
    this.#pieces = []
    this.pendingBytes = 0
    return item
  }

  onCredit(cost: number): void {
    if (this.state !== 'closing') this.#sendWindow.giveBack(cost)
  }

  /** Counts an item as consumed; returns the credit that is to be sent now, often none. */
  consume(payloadBytes: number): number {
    const due = this.#receiveWindow.consume(payloadBytes + ITEM_OVERHEAD)
    return this.state === 'closing' || this.state === 'gone' ? 0 : due
  }
}
