/**
 * What users hold of a conversation with remote code: send and receive items until it ends. Bytes, ids and windows
 * belong to the link underneath, which hands items in (`deliver`, `endItems`) and takes them out (`ChannelLink`).
 */
import { BootstrapError, ChannelClosedError, EndOfChannelError, GatewayClosedError, TimeoutError } from '../errors.js'
import { checkWait, ENDED, ItemQueue, TIMED_OUT, type WaitOptions } from './item-queue.js'
import type { Arrival, ChannelLink, ChannelListener, MakeError, Reservation } from './link.js'
import { iteratorOf, readableOf, writableOf } from './streams.js'

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
export class Channel<R = unknown, S = unknown, G = unknown> implements AsyncIterable<R> {
  /** The number of the channel on its gateway. */
  readonly id: number
  /** The gateway that it belongs to. */
  readonly gateway: G
  readonly #link: ChannelLink<G>
  readonly #arrivals = new ItemQueue<Arrival>()
  #over = new ItemQueue<never>()
  #owner: 'callback' | 'receive queue' | undefined
  #listener: ChannelListener | undefined
  #makeError: MakeError | undefined
  #isClosed = false
  #hasSendEnded = false
  #readable: ReadableStream<R> | undefined
  #writable: WritableStream<S> | undefined

  /** Channels come from `gateway.remoteExec` and `gateway.newChannel`. */
  constructor(id: number, link: ChannelLink<G>) {
    this.id = id
    this.gateway = link.gateway
    this.#link = link
  }

  /** Whether nothing can be sent any more. Items that arrived before may still be received. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Sends an item. It is encoded at once, and items leave in the order of the calls, awaited or not.
   *
   * @returns Resolves when the channel's window has taken the item. Large byte arrays are not copied: leave them unchanged until then.
   * @throws {@link DumpError} when the item has no wire type; its `path` says where. Nothing is sent, the channel stays usable.
   * @throws {@link ChannelClosedError} when the channel is closed; `cause` is the failure that it ended with, if it was one.
   * @throws {@link GatewayClosedError} when the gateway has ended, {@link BootstrapError} when it never came to life.
   * @see PROTOCOL.md §5 for windows.
   */
  async send(item: S): Promise<void> {
    const taken = this.sendNow(item)
    if (taken === true) return
    if (!(await taken.finally(this.#link.hold()))) throw this.#closedError()
  }

  /** @internal As `send`, but it throws at once and does not keep the process alive. */
  sendNow(item: S): true | Promise<boolean> {
    if (this.#isClosed || this.#hasSendEnded) throw this.#closedError()
    return this.#link.send(item)
  }

  /** Says that no more items will be sent: the peer's iteration ends, while its items still arrive here. */
  sendEnd(): void {
    if (this.#isClosed || this.#hasSendEnded) return
    this.#hasSendEnded = true
    this.#link.sendEnd()
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
    if (this.#over.isEnded) this.#over = new ItemQueue() // over is now when the callback has had them all
    const release = this.#link.hold()
    this.#run(callback, options)
      .catch((error: unknown) => {
        this.#makeError = () =>
          error instanceof Error ? error : new Error(`a callback threw ${String(error)}`, { cause: error })
        this.#shut(`the callback failed: ${error instanceof Error ? error.message : String(error)}`)
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
    const release = this.#link.hold()
    try {
      const outcome = await this.#over.take(options)
      if (outcome === TIMED_OUT) throw new TimeoutError(`${this} is still open after ${options.timeout} ms`)
    } finally {
      release()
    }
    if (this.#makeError !== undefined) throw this.#makeError()
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

  /** @internal An item arrived. Returns false when nobody will use it. */
  deliver(arrival: Arrival): boolean {
    if (this.#arrivals.isEnded) return false
    this.#arrivals.push(arrival)
    this.#listener?.onItem()
    return true
  }

  /** @internal No item will follow; `makeError` says why, unless it is an ordinary end. */
  endItems(makeError?: MakeError): void {
    if (this.#arrivals.isEnded) return
    this.#makeError ??= makeError
    this.#arrivals.end()
    if (this.#owner !== 'callback') this.#over.end()
    this.#listener?.onEnd()
  }

  /** @internal Nothing can be sent any more, because the peer closed or the gateway ended. */
  endSending(): void {
    this.#isClosed = true
  }

  /** @internal Has items announced to a receive queue, which takes them with `takeNow`. Those that wait are announced at once. */
  listen(listener: ChannelListener): void {
    this.#own('receive queue')
    this.#listener = listener
    for (let waiting = this.#arrivals.length; waiting > 0; waiting--) listener.onItem()
    if (this.#arrivals.isEnded) listener.onEnd()
  }

  /** @internal The oldest item that arrived, for whoever was told of it; absent when closing the channel dropped it. */
  takeNow(): readonly [R] | undefined {
    const arrival = this.#arrivals.shift()
    return arrival && [this.#use(arrival)]
  }

  /** @internal As `receive`, in two steps: the item is used, or put back for whoever asks next. */
  async reserve(options: WaitOptions): Promise<Reservation<R>> {
    const arrival = await this.#arrival(options)
    return { use: () => this.#use(arrival), putBack: () => this.#arrivals.unshift(arrival) }
  }

  /** @internal The next item for a transport that rides on this channel: as `receive`, but it does not keep the process alive. */
  async receiveQuietly(): Promise<R> {
    const arrival = await this.#arrivals.take()
    if (typeof arrival === 'symbol') throw this.#endError()
    return this.#use(arrival)
  }

  /** @internal How many items, those sent last, the transport has not been given in full. */
  get unsent(): number {
    return this.#link.unsent()
  }

  /** @internal Keeps the process alive while a receive queue waits. */
  hold(): () => void {
    return this.#link.hold()
  }

  async #run(callback: (item: R) => void | Promise<void>, options: { readonly endmarker?: unknown }): Promise<void> {
    while (true) {
      const arrival = await this.#arrivals.take()
      if (typeof arrival === 'symbol') break
      try {
        await callback(arrival.decode() as R) // the item's type is the caller's claim: nothing checks it
      } finally {
        arrival.consume()
      }
    }
    if ('endmarker' in options) await callback(options.endmarker as R) // the caller chose a marker that its callback knows
  }

  async #arrival(options: WaitOptions): Promise<Arrival> {
    if (this.#owner !== undefined) {
      throw new ChannelClosedError(`cannot receive on ${this}: its items go to a ${this.#owner}`)
    }
    const arrival = await this.#take(options)
    if (arrival === ENDED) throw this.#endError()
    if (arrival === TIMED_OUT) throw new TimeoutError(`no item on ${this} after ${options.timeout} ms`)
    return arrival
  }

  async #take(options: WaitOptions): Promise<Arrival | typeof ENDED | typeof TIMED_OUT> {
    checkWait(options)
    if (options.signal?.aborted !== true) {
      const arrival = this.#arrivals.shift()
      if (arrival !== undefined) return arrival
    }
    const release = this.#link.hold()
    try {
      return await this.#arrivals.take(options)
    } finally {
      release()
    }
  }

  #use(arrival: Arrival): R {
    try {
      return arrival.decode() as R // the item's type is the caller's claim: nothing checks it
    } finally {
      arrival.consume()
    }
  }

  #own(owner: 'callback' | 'receive queue'): void {
    if (this.#owner !== undefined) throw new ChannelClosedError(`${this} has a ${this.#owner} already`)
    this.#owner = owner
  }

  #shut(error: string | undefined): void {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#link.close(error)
    }
    for (const arrival of this.#arrivals.drain()) arrival.consume()
    this.endItems()
  }

  #closedError(): Error {
    const cause = this.#makeError?.()
    if (cause instanceof GatewayClosedError || cause instanceof BootstrapError) return cause
    if (cause !== undefined)
      return new ChannelClosedError(`cannot send on ${this}: it has been closed by a failure`, { cause })
    const detail = this.#isClosed ? 'it is closed' : 'its end has been sent'
    return new ChannelClosedError(`cannot send on ${this}: ${detail}`)
  }

  #endError(): Error {
    return this.#makeError?.() ?? new EndOfChannelError(`${this} has no more items`)
  }
}
