/** What comes of a call whose result is an iterator: its items, as they are asked for (PROTOCOL.md §12). Twin: iterators.py. */
import { type Channel, EndOfChannelError, RemoteError } from '../core.js'
import { unsendable } from './call-errors.js'

/** Closes the channels of iterators that nobody holds any more. */
const dropped = new FinalizationRegistry<Channel>((channel) => void channel.close())

/**
 * The items of a Python iterator or generator, of an asynchronous one too. Nothing of it runs until the first item is asked for; then it runs
 * ahead of the loop, as far as the window of a channel goes (16 MiB). What it raises is thrown after the items before it. Leaving
 * the loop closes a generator: its `finally` runs there. As in Python, it can be iterated once.
 *
 * @example
 * ```ts
 * const squares = await gateway.eval<RemoteIterator<number>>('(n * n for n in range(4))')
 * for await (const square of squares) console.log(square)
 * ```
 */
export class RemoteIterator<T = unknown> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #channel: Channel<readonly T[], null>
  #items: readonly T[] = []
  #at = 0
  #isAsked = false
  #isOver = false
  /** The last call of `next` that had to wait: the one behind it has its turn then. */
  #last: Promise<unknown> | undefined

  /** They come from calls. */
  constructor(channel: Channel) {
    this.#channel = channel as Channel<readonly T[], null> // what an `items` reply carries
    dropped.register(this, channel, this)
  }

  /**
   * The next item.
   *
   * @throws {@link RemoteError} when the iterator raised, {@link GatewayClosedError} when the gateway ended; it is over then.
   */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#last === undefined && this.#at < this.#items.length) return Promise.resolve(this.#take())
    const turn = this.#last === undefined ? this.#wait() : this.#last.then(() => this.#wait())
    const last = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#last === last) this.#last = undefined
      })
    this.#last = last
    return turn
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
    while (this.#at >= this.#items.length) {
      if (this.#isOver) return { done: true, value: undefined }
      try {
        if (!this.#isAsked) void this.#channel.sendNow(null)
        this.#isAsked = true
        this.#items = await this.#channel.receive()
        this.#at = 0
      } catch (error) {
        this.#end()
        if (error instanceof RemoteError) throw unsendable(error)
        if (!(error instanceof EndOfChannelError)) throw error
      }
    }
    return this.#take()
  }

  #end(): void {
    this.#isOver = true
    this.#items = []
    this.#at = 0
    dropped.unregister(this)
  }
}
