/**
 * One channel as the connection sees it: its state, its two windows, what waits to be sent and what has half arrived.
 * A lane sends strictly in order; which lane has its turn is the connection's choice.
 */
import { ProtocolError } from '../errors.js'
import { Fifo } from './fifo.js'
import { Fragments } from './fragments.js'
import { joinPieces } from './frame-reader.js'
import { isItem, Kind } from './frames.js'
import { Slab } from './slab.js'
import { type ChannelEvent, type ChannelState, maySend, nextState } from './states.js'
import { LENGTH_BYTES, WholeBytes } from './whole-bytes.js'
import { itemCost, ReceiveWindow, SendWindow } from './window.js'

/** Something of a channel that waits for its turn: an item, or the END or CLOSE behind the items. */
export interface Outbound {
  readonly kind: number
  readonly flags: number
  readonly parts: readonly Uint8Array[]
  readonly size: number
  /** Called once: with nothing when the item has left, with true when it never will. */
  readonly onDone?: ((dropped?: boolean) => void) | undefined
}

/** What bounds a lane, in bytes. */
export interface LaneLimits {
  readonly windowBytes: number
  readonly maxItemBytes: number
}

// Chunks that waiting items may keep alive as views of them. Of 64 KiB each, as pipes have it, they are as much as a window.
const MAX_CHUNKS = 256

/** The connection's side of one channel. */
export class Lane {
  readonly id: number
  /** How many of its items are in the bytes that have been gathered for the next write. */
  gathered = 0
  /** Whether it stands in the connection's queue of lanes that have something to send. */
  isReady = false
  #state: ChannelState = 'open'
  #hasQueuedEnd = false
  #hasQueuedClose = false
  readonly #sendWindow: SendWindow
  readonly #outbound = new Fifo<Outbound>()
  // Where in the first outbound the next fragment starts: so many bytes in, at an offset in one of its parts.
  #sent = 0
  #part = 0
  #offset = 0
  readonly #receiveWindow: ReceiveWindow
  readonly #item: Fragments
  readonly #bytes: WholeBytes
  readonly #reason: Fragments
  // How many chunks brought items since none waited, and which was the last.
  #chunks = 0
  #lastChunk = 0
  readonly #slab = new Slab()

  constructor(id: number, { windowBytes, maxItemBytes }: LaneLimits) {
    this.id = id
    this.#sendWindow = new SendWindow(windowBytes)
    this.#receiveWindow = new ReceiveWindow(windowBytes)
    this.#item = new Fragments(maxItemBytes)
    this.#bytes = new WholeBytes(maxItemBytes)
    this.#reason = new Fragments(maxItemBytes)
  }

  get state(): ChannelState {
    return this.#state
  }

  /** Whether items may be sent: the state allows it, and no END or CLOSE waits behind what was sent before. */
  get maySend(): boolean {
    return !this.#hasQueuedEnd && !this.#hasQueuedClose && maySend(this.#state)
  }

  /** Whether we may close: once, also behind an END. */
  get mayClose(): boolean {
    return !this.#hasQueuedClose
  }

  /** Whether a fragment could go out now: an item that has been started always may. */
  get canAdvance(): boolean {
    const first = this.#outbound.first
    if (first === undefined) return false
    return !isItem(first.kind) || this.#sent > 0 || this.#sendWindow.hasRoom
  }

  /** Whether an item could go out at once: nothing waits before it, and the window has room. */
  get mayStartNow(): boolean {
    return this.#outbound.length === 0 && this.maySend && this.#sendWindow.hasRoom
  }

  /** How many items, those sent last, have not been taken to be written; one of which a part has been is one of them. */
  get unsent(): number {
    return this.gathered + this.#outbound.length
  }

  /** Counts an item that goes out at once. */
  countStarted(payloadBytes: number): void {
    this.#sendWindow.take(itemCost(payloadBytes))
  }

  /** Counts the bytes of items that were counted before they were encoded. */
  countPayload(bytes: number): void {
    this.#sendWindow.take(bytes)
  }

  /** @throws {@link ProtocolError} when the table of states has no row for the event. */
  move(event: ChannelEvent): void {
    this.#state = nextState(this.#state, event, this.id)
    if (this.#state === 'closing') this.#dropPartial()
  }

  enqueue(outbound: Outbound): void {
    if (outbound.kind === Kind.END) this.#hasQueuedEnd = true
    if (outbound.kind === Kind.CLOSE) this.#hasQueuedClose = true
    this.#outbound.push(outbound)
  }

  /** Takes the next fragment: calls `onPart` for each run of its bytes, after `onHeader`. Returns the outbound when that was its last. */
  advance(
    maxBytes: number,
    onHeader: (outbound: Outbound, length: number, isLast: boolean) => void,
    onPart: (bytes: Uint8Array) => void,
  ): Outbound | undefined {
    const outbound = this.#outbound.first
    if (outbound === undefined) return undefined
    if (isItem(outbound.kind) && this.#sent === 0) this.countStarted(outbound.size)
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
      const part = parts[this.#part] ?? new Uint8Array(left) // never absent: an outbound's size is that of its parts
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

  /** Gives up all that waits, because the channel is over; the peer drops an item of which it has only a part. */
  drop(): void {
    for (const outbound of this.#outbound.drain()) outbound.onDone?.(true)
    this.#part = this.#offset = this.#sent = 0
    this.#dropPartial()
  }

  #dropPartial(): void {
    this.#item.clear()
    this.#bytes.clear()
  }

  /**
   * Takes a fragment that arrived; returns the item when it is complete.
   *
   * @param chunk - The number of the chunk that it ended in.
   * @throws {@link ProtocolError} when no item may come, the window is used up, or the item is too large.
   */
  onData(pieces: readonly Uint8Array[], hasMore: boolean, chunk: number): Uint8Array | undefined {
    this.move('receiveData')
    if (this.#state === 'closing') return undefined
    this.#startItem(this.#item, this.#bytes)
    const whole = this.#item.add(pieces, hasMore, this.id)
    if (whole === undefined) return undefined
    const item = joinPieces(whole)
    if (this.#receiveWindow.held === 0) this.#chunks = 0
    this.#receiveWindow.arrive(itemCost(item.length))
    if (chunk !== this.#lastChunk) this.#chunks++
    this.#lastChunk = chunk
    return this.#chunks > MAX_CHUNKS ? this.#slab.keep(item) : item
  }

  /** As `onData`, for an item that is bytes alone. */
  onBytes(pieces: readonly Uint8Array[], hasMore: boolean): Uint8Array | undefined {
    this.move('receiveData')
    if (this.#state === 'closing') return undefined
    this.#startItem(this.#bytes, this.#item)
    const bytes = this.#bytes.add(pieces, hasMore, this.id)
    if (bytes !== undefined) this.#receiveWindow.arrive(itemCost(LENGTH_BYTES + bytes.length))
    return bytes
  }

  #startItem(item: { readonly isPartial: boolean }, other: { readonly isPartial: boolean }): void {
    if (other.isPartial) throw new ProtocolError(`an item amid another on channel ${this.id}`)
    if (!item.isPartial) this.#receiveWindow.start()
  }

  /** @throws {@link ProtocolError} when no END may come, or an item is not complete, which no frame could complete any more. */
  onEnd(): void {
    this.move('receiveEnd')
    if (this.#item.isPartial || this.#bytes.isPartial) throw new ProtocolError(`END amid an item on channel ${this.id}`)
  }

  /** Takes a fragment of a CLOSE; returns its payload when it is complete. An item that has half arrived is dropped. */
  onClose(pieces: readonly Uint8Array[], hasMore: boolean): Uint8Array | undefined {
    const whole = this.#reason.add(pieces, hasMore, this.id)
    if (whole === undefined) return undefined
    this.move('receiveClose')
    this.drop()
    return joinPieces(whole)
  }

  /** @throws {@link ProtocolError} for more than is outstanding. */
  onCredit(cost: number): void {
    if (this.#state !== 'closing') this.#sendWindow.giveBack(cost)
  }

  /** Counts an item as consumed; returns the credit that is to be sent now, often none. */
  consume(payloadBytes: number): number {
    const due = this.#receiveWindow.consume(itemCost(payloadBytes))
    return this.#state === 'closing' ? 0 : due
  }
}
