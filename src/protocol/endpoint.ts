/**
 * One end of a channel (PROTOCOL.md §4, §5): its state, its two windows, what waits to be sent and what has half arrived. It sends
 * strictly in order; whose turn it is to send is for the connection's turns to say. Twin: src/channels/channel.py, which is both this and what user code holds.
 */
import { ProtocolError } from '../errors.js'
import { Assembler } from './assembler.js'
import { Fragments } from './fragments.js'
import { joinPieces, sizeOf } from './frame-reader.js'
import { Flag, isItem, Kind, UNTOUCHED_WINDOW_BYTES, WINDOW_BYTES } from './frames.js'
import type { Held } from './held.js'
import { type Outbound, Outbox } from './outbox.js'
import { type ItemOwner, ReceivedBytes, ReceivedItem } from './received-item.js'
import type { Receiver } from './receiver.js'
import { type ChannelEvent, type ChannelState, maySend, nextState } from './states.js'
import { TooLong } from './too-long.js'
import { encodeWholeBytes, LENGTH_BYTES, wholeBytesOf } from './whole-bytes.js'
import { itemCost, ReceiveWindow, SendWindow } from './window.js'

/** Called once: with nothing when an item has left, with true when it never will. Items that are waited for together have the same. */
export type OnDone = (dropped?: boolean) => void

/** What an endpoint needs of its connection. */
export interface EndpointLink {
  readonly held: Held
  readonly maxItemBytes: number
  encode(item: unknown): Uint8Array[]
  decode(payload: Uint8Array | TooLong, endpoint: Endpoint): unknown
  /** Sends a scalar together with those that are sent right before and after it; false when it has to be queued, and for any other item. */
  gather(endpoint: Endpoint, item: unknown): boolean
  /** Sends a small item at once, when nothing stands before it; false when it has to be queued. */
  sendNow(endpoint: Endpoint, parts: readonly Uint8Array[]): boolean
  /** Something of it waits for its turn. */
  queue(endpoint: Endpoint): void
  sendCredit(endpoint: Endpoint, bytes: number): void
}

// Nobody has asked for why a channel fails, and it has no window; while it is put together it takes twice that. Workers send 24 MiB.
const MAX_REASON_BYTES = 32 * 1024 * 1024

/** One end of a channel, under the promises. */
export class Endpoint implements ItemOwner {
  readonly id: number
  /** Who is told what arrives; items that come while there is nobody are dropped. */
  receiver: Receiver | undefined
  /** It is of a feature: no item of the peer's can give it to anybody else. */
  isOwn = false
  /** Bytes that an item may have which begins now, where that is less than any other may: nobody has asked for it. */
  mostBytes: (() => number) | undefined
  /** How many of the items that were sent refer to it. */
  references = 0
  /** How many of its items are in the bytes that have been gathered for the next write. */
  gathered = 0
  /** Whether it stands in the queue of those that have something to send. */
  isReady = false
  readonly #link: EndpointLink
  #state: ChannelState = 'open'
  #hasQueuedEnd = false
  #hasQueuedClose = false
  #isLost = false
  #refusesItems = false
  readonly #sendWindow = new SendWindow(WINDOW_BYTES)
  #outbox: Outbox | undefined // there is none before something has to wait
  readonly #receiveWindow = new ReceiveWindow(WINDOW_BYTES)
  readonly #assembler: Assembler
  #reason: Fragments | undefined

  constructor(id: number, link: EndpointLink) {
    this.id = id
    this.#link = link
    this.#assembler = new Assembler(link.maxItemBytes)
  }

  get state(): ChannelState {
    return this.#state
  }

  get held(): Held {
    return this.#link.held
  }

  /** Whether somebody waits for the next item. */
  get isAwaited(): boolean {
    return this.receiver?.isAwaited === true
  }

  /** Whether items may be sent: the state allows it, and no END or CLOSE waits behind what was sent before. */
  get maySend(): boolean {
    return !this.#hasQueuedEnd && !this.isClosed && maySend(this.#state)
  }

  /** Whether nothing goes this way any more: we have closed, or the peer has or will, or the link is gone. */
  get isClosed(): boolean {
    return this.#hasQueuedClose || this.#refusesItems || this.#isLost || this.#state === 'gone'
  }

  /** How many items, those sent last, have not been taken to be written; one of which a part has been is one of them. */
  get unsent(): number {
    return this.gathered + (this.#outbox?.length ?? 0)
  }

  /** Whether something waits, and that with what the peer has left unread is more than its window. */
  get isStuck(): boolean {
    return this.#outbox !== undefined && this.#outbox.length > 0 && this.#sendWindow.isUsedUpBy(this.#outbox.bytes)
  }

  /**
   * Sends an item. Its bytes are not copied when they are many: they must stay as they are until it has left.
   *
   * @param wait - Called when it has to wait, with its bytes: gives what is to be called when it has left.
   * @param onEncoded - Called when it has been encoded: what that sends goes right ahead of it.
   * @returns Whether it left at once, for the bytes of the next write.
   * @throws {@link DumpError} when it has no form on the wire: nothing is sent.
   */
  send(item: unknown, wait?: (bytes: number) => OnDone, onEncoded?: () => void): boolean {
    if (this.#link.gather(this, item)) return true
    const bytes = wholeBytesOf(item, this.#link.maxItemBytes)
    if (bytes !== undefined) return this.#wait(Kind.BYTES, encodeWholeBytes(bytes), wait)
    const parts = this.#link.encode(item)
    onEncoded?.()
    return this.#link.sendNow(this, parts) || this.#wait(Kind.DATA, parts, wait)
  }

  #wait(kind: number, parts: readonly Uint8Array[], wait: ((bytes: number) => OnDone) | undefined): false {
    const size = sizeOf(parts)
    const onDone = wait?.(size)
    if (this.maySend) this.#enqueue({ kind, flags: 0, parts, size, onDone })
    else onDone?.(true)
    return false
  }

  /** Says that no more items will be sent, behind those that were. */
  sendEnd(): void {
    if (!this.maySend) return
    this.#hasQueuedEnd = true
    this.#enqueue({ kind: Kind.END, flags: 0, parts: [], size: 0 })
  }

  /** Closes the channel, behind the items that were sent; `reason` makes it an error for the peer. Twice is no error. */
  close(reason?: string): void {
    if (this.isClosed) return
    const parts = reason === undefined ? [] : this.#link.encode(reason)
    const flags = (reason === undefined ? 0 : Flag.ERROR) | (this.references > 0 ? Flag.GIVEN : 0)
    this.#hasQueuedClose = true
    this.#enqueue({ kind: Kind.CLOSE, flags, parts, size: sizeOf(parts) })
  }

  /** Closes a channel whose items nobody would receive: those that wait are dropped. */
  abandon(): void {
    for (const outbound of this.#outbox?.drainItems() ?? []) outbound.onDone?.(true)
    this.close()
  }

  /** Takes no more items to send: the peer is about to close. */
  refuseItems(): void {
    this.#refusesItems = true
  }

  /** The link is gone. */
  lose(): void {
    this.#isLost = true
  }

  /** Gives up all that waits; the peer drops an item of which it has only a part. */
  drop(): void {
    for (const outbound of this.#outbox?.drain() ?? []) outbound.onDone?.(true)
    this.#assembler.clear()
  }

  #enqueue(outbound: Outbound): void {
    this.#outbox ??= new Outbox()
    this.#outbox.push(outbound)
    this.#link.queue(this)
  }

  /** Whether a fragment could go out now: an item that has been started always may. */
  get canAdvance(): boolean {
    const first = this.#outbox?.first
    if (first === undefined) return false
    return !isItem(first.kind) || this.#outbox?.hasBegun === true || this.#sendWindow.hasRoom
  }

  /** Whether an item could go out at once: nothing waits before it, and the window has room. */
  get mayStartNow(): boolean {
    return (this.#outbox?.length ?? 0) === 0 && this.maySend && this.#sendWindow.hasRoom
  }

  /** Counts what goes out at once. */
  countSent(cost: number): void {
    this.#sendWindow.take(cost)
  }

  /** Takes the next fragment of what waits; see `Outbox.advance`. */
  advance(...step: Parameters<Outbox['advance']>): Outbound | undefined {
    const first = this.#outbox?.first
    if (first !== undefined && isItem(first.kind) && !this.#outbox?.hasBegun) this.countSent(itemCost(first.size))
    const done = this.#outbox?.advance(...step)
    if (done?.kind === Kind.END) this.#move('sendEnd')
    if (done?.kind === Kind.CLOSE) this.#move('sendClose')
    return done
  }

  /** @throws {@link ProtocolError} for more than is outstanding. */
  onCredit(cost: number): void {
    if (this.#state !== 'closing') this.#sendWindow.giveBack(cost)
  }

  /**
   * Takes a fragment of DATA that arrived.
   *
   * @returns How many bytes have come of an item that is not complete.
   * @throws {@link ProtocolError} when no item may come, or the window is used up.
   */
  onData(pieces: readonly Uint8Array[], flags: number): number {
    this.#move('receiveData')
    if (this.#state === 'closing') return sizeOf(pieces)
    const hasMore = (flags & Flag.MORE) !== 0
    this.#begin(hasMore)
    const payload = this.#assembler.addData(pieces, hasMore, this.held.hasManyPins, this.id)
    if (payload === undefined) return sizeOf(pieces)
    this.#deliver(new ReceivedItem(this, payload))
    return 0
  }

  /** As `onData`, for a fragment of BYTES. */
  onBytes(pieces: readonly Uint8Array[], flags: number): number {
    this.#move('receiveData')
    if (this.#state === 'closing') return 0
    const before = this.partialBytes
    this.#begin(true)
    const bytes = this.#assembler.addBytes(pieces, (flags & Flag.MORE) !== 0, this.id)
    if (bytes === undefined) return this.partialBytes - before // there is room for all that were announced
    if (bytes instanceof TooLong) this.#deliver(new ReceivedItem(this, bytes))
    else this.#deliver(new ReceivedBytes(this, bytes, LENGTH_BYTES + bytes.length))
    return 0
  }

  #begin(isBounded: boolean): void {
    if (this.#assembler.isPartial) return
    this.#receiveWindow.start()
    const { maxItemBytes } = this.#link
    this.#assembler.limit(isBounded ? Math.min(maxItemBytes, this.mostBytes?.() ?? maxItemBytes) : maxItemBytes)
  }

  #deliver(item: ReceivedItem): void {
    this.#receiveWindow.arrive(itemCost(item.size))
    if (!this.isAwaited) item.hold()
    if (this.receiver?.onItem(item) !== true) item.consume()
  }

  /** @throws {@link ProtocolError} when no END may come, or an item is not complete, which no frame could complete any more. */
  onEnd(): void {
    this.#move('receiveEnd')
    if (this.#assembler.isPartial) throw new ProtocolError(`END amid an item on channel ${this.id}`)
    if (this.#state !== 'closing') this.receiver?.onEnd()
  }

  /** Takes a fragment of a CLOSE; returns its payload when it is complete. An item that has half arrived is dropped. */
  onClose(pieces: readonly Uint8Array[], flags: number): Uint8Array | TooLong | undefined {
    this.#reason ??= new Fragments(Math.min(this.#link.maxItemBytes, MAX_REASON_BYTES))
    const whole = this.#reason.add(pieces, (flags & Flag.MORE) !== 0)
    if (whole === undefined) return undefined
    this.#move('receiveClose')
    this.drop()
    return whole instanceof TooLong ? whole : joinPieces(whole)
  }

  /** Bytes that have come of an item that is not complete, or of the reason of a CLOSE. */
  get partialBytes(): number {
    return this.#assembler.partialBytes + (this.#reason?.bytes ?? 0)
  }

  decode(payload: Uint8Array | TooLong): unknown {
    return this.#link.decode(payload, this)
  }

  /** The peer, which has opened the channel, has a small window until somebody takes items. */
  narrow(): void {
    this.#receiveWindow.narrow(UNTOUCHED_WINDOW_BYTES)
  }

  /** Gives the peer all of the window: somebody takes items. */
  widen(): void {
    if (this.#state !== 'closing') this.#sendCredit(this.#receiveWindow.widen())
  }

  /** Gives an item's window back: it has been used, or dropped. */
  consume(payloadBytes: number): void {
    this.#sendCredit(this.#receiveWindow.consume(itemCost(payloadBytes)))
  }

  #sendCredit(due: number): void {
    if (due > 0 && this.#state !== 'closing' && this.#state !== 'gone' && !this.#isLost)
      this.#link.sendCredit(this, due)
  }

  #move(event: ChannelEvent): void {
    this.#state = nextState(this.#state, event, this.id)
    if (this.#state === 'closing') this.#assembler.clear()
  }
}
