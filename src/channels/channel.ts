/**
 * What users hold of a conversation with remote code: send and receive items until it ends. Its state, its windows and its bytes
 * are the endpoint's underneath; here are promises, queues and loops.
 */
import { ChannelClosedError, TimeoutError } from '../errors.js'
import type { ListRead } from '../protocol/codec.js'
import type { Endpoint } from '../protocol/endpoint.js'
import type { Item } from '../protocol/received-item.js'
import type { MakeError, Receiver } from '../protocol/receiver.js'
import { asError } from '../thrown.js'
import { deliverTo } from './callback.js'
import { ChannelEnd } from './channel-end.js'
import { checkWait, ENDED, ItemQueue, TIMED_OUT, type WaitOptions } from './item-queue.js'
import type { ChannelListener, Reservation } from './link.js'
import { Sends } from './sends.js'
import { iteratorOf, readableOf, writableOf } from './streams.js'
import { refusal, Sent } from './unawaited.js'

/**
 * One end of a conversation with remote code; the other end is `channel` there.
 *
 * @example
 * ```ts
 * const doubles = gateway.remoteExec('for item in channel: channel.send(item * 2)')
 * await doubles.send(21)
 * await doubles.receive() // 42
 * await doubles.close()
 * ```
 */
export class Channel<R = unknown, S = unknown, G = unknown> implements AsyncIterable<R>, Receiver {
  /** The number of the channel on its gateway. */
  readonly id: number
  /** The gateway that it belongs to. */
  readonly gateway: G
  readonly #endpoint: Endpoint
  readonly #hold: () => () => void
  readonly #arrivals = new ItemQueue<Item>()
  #over = new ItemQueue<never>()
  #owner: 'callback' | 'receive queue' | undefined
  #listener: ChannelListener | undefined
  readonly #end = new ChannelEnd(this)
  // Most channels that a worker opens have nothing sent on them, and it may open very many.
  #sends: Sends | undefined
  #sent: Sent | undefined
  #isIterated = false
  #isTouched = false
  #readable: ReadableStream<R> | undefined
  #writable: WritableStream<S> | undefined

  /** Channels come from `gateway.remoteExec` and `gateway.newChannel`. */
  constructor(endpoint: Endpoint, gateway: G, hold: () => () => void) {
    this.id = endpoint.id
    this.gateway = gateway
    this.#endpoint = endpoint
    this.#hold = hold
    endpoint.receiver = this
  }

  /** Whether nothing can be sent any more. Items that arrived before may still be received. */
  get isClosed(): boolean {
    return this.#endpoint.isClosed
  }

  /**
   * Sends an item. It is encoded at once, and items leave in the order of the calls, awaited or not. When nobody awaits it, an error that
   * only says that the channel or the gateway is over does not end the program: `receive` and `waitClose` tell it. A DumpError does.
   *
   * @returns Resolves when the channel's window has taken the item. Sends of one turn that have to wait share a promise for each 64 KiB, which
   *   resolves when the last of them has been taken. Large byte arrays are not copied: leave them unchanged until then.
   * @throws {@link DumpError} when the item has no wire type; its `path` says where. Nothing is sent, the channel stays usable.
   * @throws {@link ChannelClosedError} when the channel is closed; `cause` is the failure that it ended with, if it was one.
   * @throws {@link GatewayClosedError} when the gateway has ended, {@link BootstrapError} when it never came to life.
   * @see PROTOCOL.md §5 for windows.
   */
  send(item: S): Promise<void> {
    try {
      const taken = this.sendNow(item)
      if (taken === true) return Promise.resolve()
      this.#sent ??= new Sent()
      return this.#sent.when(taken, this.#hold, () => this.#end.sendError(this.isClosed))
    } catch (error) {
      return refusal(error)
    }
  }

  /** @internal As `send`, but it throws at once and does not keep the process alive. What `onEncoded` sends goes right ahead of it. */
  sendNow(item: S, onEncoded?: () => void): true | Promise<boolean> {
    if (!this.#endpoint.maySend) throw this.#end.sendError(this.isClosed)
    this.#sends ??= new Sends()
    return this.#endpoint.send(item, this.#sends.wait, onEncoded) || this.#sends.taken
  }

  /** Says that no more items will be sent: the peer's iteration ends, while its items still arrive here. */
  sendEnd(): void {
    this.#endpoint.sendEnd()
  }

  /**
   * Waits for the next item the other side sent, oldest first.
   *
   * @param options.timeout - Milliseconds to wait; unlimited when absent, 0 only looks.
   * @param options.signal - Aborting rejects with the signal's reason; the channel stays usable.
   * @returns The item, decoded. Items that arrived before the channel closed are still delivered.
   * @throws {@link EndOfChannelError} after the last item of a channel that closed normally.
   * @throws {@link RemoteError} after the last item, when the remote code raised, every time.
   * @throws {@link GatewayClosedError} after the last item, when the gateway ended.
   * @throws {@link TimeoutError} when nothing arrived in time; the channel stays usable.
   * @throws {@link LoadError} when the item cannot be decoded; the next one can be received.
   * @see PROTOCOL.md §4 for what "closed" means on each side.
   */
  async receive(options: WaitOptions = {}): Promise<R> {
    return this.#use(await this.#arrival(options))
  }

  /**
   * Has `callback` called with every item, those that wait already first, one after the other: a promise that it returns is awaited.
   * Other channels go on meanwhile. If it throws, the channel is closed and `waitClose` rejects with what it threw.
   *
   * @param options.endmarker - Given to the callback once at the end, however the channel ended.
   * @throws {@link ChannelClosedError} when items already go to a callback or a receive queue.
   */
  setCallback(callback: (item: R) => void | Promise<void>, options: { readonly endmarker?: unknown } = {}): void {
    this.#own('callback')
    this.#touch()
    if (this.#over.isEnded) this.#over = new ItemQueue() // over is now when the callback has had them all
    const release = this.#hold()
    deliverTo(callback, this.#arrivals, options)
      .catch((error: unknown) => {
        this.#end.fail(() => asError(error, 'a callback threw '))
        this.#shut(`the callback failed: ${asError(error).message}`)
      })
      .finally(() => {
        release()
        this.#over.end()
      })
  }

  /**
   * Closes the channel both ways, behind the items that were sent. Items that arrived and were not received are dropped. Closing twice is not an error.
   *
   * @param error - Makes it a failure: the peer's receive raises a RemoteError with exactly this text.
   */
  async close(error?: string): Promise<void> {
    this.#shut(error)
  }

  /**
   * Waits until no item can arrive any more; with a callback, until it has had them all. Items may still wait to be received.
   *
   * @throws {@link RemoteError} when the remote code raised, every time.
   * @throws {@link GatewayClosedError} when the gateway ended before the channel.
   * @throws {@link TimeoutError} when the channel is still open after `timeout` milliseconds.
   */
  async waitClose(options: WaitOptions = {}): Promise<void> {
    checkWait(options)
    const release = this.#hold()
    try {
      const outcome = await this.#over.take(options)
      if (outcome === TIMED_OUT) throw new TimeoutError(`${this} is still open after ${options.timeout} ms`)
    } finally {
      release()
    }
    if (this.#end.isFailure) throw this.#end.error()
  }

  /** The items that arrive, as a Web stream. Cancelling it closes the channel. */
  get readable(): ReadableStream<R> {
    this.#readable ??= readableOf(this)
    return this.#readable
  }

  /** A Web stream whose chunks are sent as items. Closing it says that no more will follow; aborting it closes the channel with an error. */
  get writable(): WritableStream<S> {
    this.#writable ??= writableOf(this)
    return this.#writable
  }

  /** Items until the end; a remote failure is thrown. Leaving the loop early closes the channel. */
  [Symbol.asyncIterator](): AsyncIterator<R, undefined> {
    return iteratorOf(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shut(undefined)
  }

  toString(): string {
    return `channel ${this.id}`
  }

  /** @internal See `Receiver`. */
  get isAwaited(): boolean {
    return this.#arrivals.isAwaited || this.#listener?.takesAll?.() === true
  }

  /** @internal See `Receiver`. */
  onItem(item: Item): boolean {
    if (this.#arrivals.isEnded) return false
    this.#arrivals.push(item)
    this.#listener?.onItem()
    return true
  }

  /** @internal See `Receiver`. */
  onEnd(makeError?: MakeError, watch?: () => () => void): void {
    if (this.#arrivals.isEnded) return
    const isReceived = this.#isIterated || (this.#owner === undefined && this.#arrivals.isAwaited)
    if (makeError !== undefined) this.#end.fail(makeError, isReceived || this.#over.isAwaited ? undefined : watch?.())
    this.#arrivals.end()
    if (this.#owner !== 'callback') this.#over.end()
    this.#listener?.onEnd()
  }

  /** @internal Nothing can be sent any more: the other side is about to close. */
  refuseItems(): void {
    this.#endpoint.refuseItems()
  }

  /** @internal Has items announced to a receive queue, which takes them with `takeNow`. Those that wait are announced at once. */
  listen(listener: ChannelListener): void {
    this.#own('receive queue')
    this.#touch()
    this.#listener = listener
    for (let waiting = this.#arrivals.length; waiting > 0; waiting--) listener.onItem()
    if (this.#arrivals.isEnded) listener.onEnd()
  }

  /** @internal The oldest item that arrived, for whoever was told of it; absent when closing the channel dropped it. */
  takeNow(): readonly [R] | undefined {
    this.#touch()
    const arrival = this.#arrivals.shift()
    return arrival && [this.#use(arrival)]
  }

  /** @internal The oldest item that arrived, as far as can be told without decoding it; it is still to be taken. */
  get oldest(): Pick<Item, 'size' | 'number'> | undefined {
    return this.#arrivals.oldest
  }

  /** @internal Lets go of the oldest item that arrived. */
  skip(): void {
    this.#arrivals.shift()?.consume()
  }

  /** @internal As `receive`, in two steps: the item is used, or put back for whoever asks next. */
  async reserve(options: WaitOptions): Promise<Reservation<R>> {
    const arrival = await this.#arrival(options)
    const putBack = (): void => this.#arrivals.unshift(arrival)
    return { use: () => this.#use(arrival), useList: () => useList(arrival), putBack }
  }

  /** @internal The next item for a transport that rides on this channel: as `receive`, but it does not keep the process alive. */
  async receiveQuietly(): Promise<R> {
    this.#touch()
    const arrival = await this.#arrivals.take()
    if (typeof arrival === 'symbol') throw this.#end.error()
    return this.#use(arrival)
  }

  /** @internal As `receive`, for loops and streams: they will come to the end. */
  receiveNext(): Promise<R> {
    this.#isIterated = true
    return this.receive()
  }

  /** @internal How many items, those sent last, the transport has not been given in full. */
  get unsent(): number {
    return this.#endpoint.unsent
  }

  /** @internal Whether items wait because the other side does not read those before them. */
  get isStuck(): boolean {
    return this.#endpoint.isStuck
  }

  /** @internal As `takeNow`, but its window is given back by `consume` only. */
  takeHeld(): { readonly item: R; consume(): void } | undefined {
    const arrival = this.#arrivals.shift()
    if (arrival === undefined) return undefined
    try {
      return { item: arrival.decode() as R, consume: () => arrival.consume() } // as in `#use`
    } catch (error) {
      arrival.consume()
      throw error
    }
  }

  /** @internal Keeps the process alive while a receive queue waits. */
  hold(): () => void {
    return this.#hold()
  }

  async #arrival(options: WaitOptions): Promise<Item> {
    if (this.#owner !== undefined) {
      throw new ChannelClosedError(`cannot receive on ${this}: its items go to a ${this.#owner}`)
    }
    this.#touch()
    checkWait(options)
    const there = options.signal?.aborted === true ? undefined : this.#arrivals.shift()
    if (there !== undefined) return there
    const release = this.#hold()
    try {
      const arrival = await this.#arrivals.take(options)
      if (arrival === ENDED) throw this.#end.error()
      if (arrival === TIMED_OUT) throw new TimeoutError(`no item on ${this} after ${options.timeout} ms`)
      return arrival
    } finally {
      release()
    }
  }

  #use(arrival: Item): R {
    try {
      return arrival.decode() as R // the item's type is the caller's claim: nothing checks it
    } finally {
      arrival.consume()
    }
  }

  /** Somebody takes items. Until then a channel that the worker has opened has a small window (PROTOCOL.md §5). */
  #touch(): void {
    if (this.#isTouched) return
    this.#isTouched = true
    this.#endpoint.widen()
  }

  #own(owner: 'callback' | 'receive queue'): void {
    if (this.#owner !== undefined) throw new ChannelClosedError(`${this} has a ${this.#owner} already`)
    this.#owner = owner
  }

  #shut(error: string | undefined): void {
    this.#endpoint.close(error)
    for (const arrival of this.#arrivals.drain()) arrival.consume()
    this.onEnd()
  }
}

function useList(arrival: Item): ListRead {
  try {
    return arrival.decodeList?.() ?? { list: arrival.decode() }
  } finally {
    arrival.consume()
  }
}
