/** What comes of a call whose result is an iterator: its items, as they are asked for (PROTOCOL.md §12). Twin: iterators.py. */
import { AsyncResource } from 'node:async_hooks'
import {
  addAbortListener,
  type BaseGateway,
  type Channel,
  EndOfChannelError,
  LoadError,
  messages,
  ProtocolError,
  RemoteError,
  removeAbortListener,
} from '../../core.js'
import { unsendable, withDelivery } from './call-errors.js'

/** How a synchronous iterator is asked for items: by requests, which are in one order with all others. */
export interface Steps {
  /** Asks for so many items; gives how many requests there have been, this one among them. `onDone` is called behind the items. */
  ask(count: number, onDone: () => void): number
  /** How many requests there have been until now. */
  asked(): number
}

// How many times as many the next step asks for: up to here twice, then eight times.
const DOUBLED = 8
// More than anybody waits for at once.
const MOST = 2 ** 30

// Programs under test replace it by one that stands still.
const { setImmediate } = globalThis

/** Closes the channels of iterators that nobody holds any more. */
const dropped = new FinalizationRegistry<Channel>((channel) => void channel.close())

/**
 * The items of a Python iterator or generator, of an asynchronous one too. Nothing of it runs until the first item is asked for. A loop that
 * asks nothing else of the gateway has it run ahead: for 2, 4, 8 items and more, as far as the window of a channel goes (16 MiB); one that
 * calls has each item made when it comes to it. An asynchronous one runs ahead as far as the window goes. What it raises is thrown after the items before it. Leaving
 * the loop closes a generator: its `finally` runs there. As in Python, it can be iterated once.
 *
 * @example
 * ```ts
 * const squares = await gateway.eval<RemoteIterator<number>>('(n * n for n in range(4))')
 * for await (const square of squares) console.log(square)
 * ```
 */
export class RemoteIterator<T = unknown> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #channel: Channel<unknown, null, BaseGateway>
  #items: readonly T[] = []
  /** Why what follows the items cannot be read. */
  #failure: Error | undefined
  #at = 0
  readonly #steps: Steps | undefined
  #isAsked = false
  /** Where the loop is that waits for items, if one does. */
  #receiver: AsyncResource | undefined
  #count = 0
  #asked = 0
  #isOver = false
  #stopListening = (): void => undefined
  /** How many calls of `next` wait, and the last one that did: the one behind it has its turn then. */
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()

  /** They come from calls. */
  constructor(channel: Channel, steps?: Steps) {
    this.#steps = steps
    this.#channel = channel as Channel<unknown, null, BaseGateway> // nothing else is sent on it
    dropped.register(this, channel, this)
  }

  /**
   * The next item.
   *
   * @throws {@link RemoteError} when the iterator raised, {@link GatewayClosedError} when the gateway ended; it is over then.
   */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#waiting === 0 && this.#at < this.#items.length) return Promise.resolve(this.#take())
    const wait = (): Promise<IteratorResult<T, undefined>> => this.#wait()
    const turn = this.#waiting++ === 0 ? wait() : this.#last.then(wait, wait)
    this.#last = turn
    return turn
  }

  /** @internal Aborting ends it, as `return` does; whoever asks for an item then, or waits for one, gets the reason. */
  endedBy(signal: AbortSignal | undefined): this {
    if (signal === undefined) return this
    const channel = this.#channel
    const held = new WeakRef(this)
    const onAbort = (): void => {
      channel.onEnd(() => signal.reason)
      void channel.close()
      const iterator = held.deref()
      if (iterator !== undefined) iterator.#forget()
    }
    if (signal.aborted) onAbort()
    addAbortListener(signal, onAbort)
    this.#stopListening = () => removeAbortListener(signal, onAbort)
    return this
  }

  /** Wants no more items: a generator is closed. Resolves at once. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#end()
    void this.#channel.close()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #take(): IteratorResult<T, undefined> {
    const value = this.#items[this.#at++] as T // within the array
    return { done: false, value }
  }

  async #wait(): Promise<IteratorResult<T, undefined>> {
    try {
      while (this.#at >= this.#items.length) {
        if (this.#isOver) return { done: true, value: undefined }
        await this.#receive()
      }
      return this.#take()
    } finally {
      this.#waiting--
    }
  }

  async #receive(): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure
      const isHere = this.#channel.oldest !== undefined
      if (!isHere && !this.#isAsked && !this.#channel.isClosed) this.#ask()
      if (!isHere) this.#receiver = new AsyncResource('TendrilIterator')
      const { list, failure } = (await this.#channel.reserve({})).useList()
      this.#items = messages.read(messages.steps, list) as readonly T[] // their type is the caller's claim
      this.#failure = failure
      this.#at = 0
    } catch (error) {
      this.#end()
      if (error instanceof EndOfChannelError) return
      if (error instanceof LoadError || error instanceof ProtocolError) void this.#channel.close() // the iterator would go on there
      const failure = error instanceof RemoteError ? await this.#channel.gateway.explain(error) : error
      throw failure instanceof RemoteError ? unsendable(failure) : withDelivery(failure, 'unknown')
    } finally {
      this.#receiver = undefined
    }
  }

  #ask(): void {
    this.#isAsked = true
    if (this.#steps === undefined) return void this.#channel.sendNow(null)
    const times = this.#count < DOUBLED ? 2 : 8
    this.#count = this.#steps.asked() === this.#asked ? Math.min(this.#count * times, MOST) : 1
    this.#asked = this.#steps.ask(this.#count, () => {
      this.#isAsked = false
      // In a turn of its own: what has come ahead of this may still be on its way to the loop, which may call before it wants more.
      setImmediate(() => {
        if (!this.#isAsked && !this.#isOver) this.#receiver?.runInAsyncScope(() => this.#askUnlessEnded())
      })
    })
  }

  #askUnlessEnded(): void {
    try {
      this.#ask()
    } catch {
      // the gateway has ended, which `receive` tells
    }
  }

  #end(): void {
    this.#isOver = true
    this.#forget()
    this.#stopListening()
    dropped.unregister(this)
  }

  #forget(): void {
    this.#items = []
    this.#at = 0
  }
}
