/**
 * The items of many channels, as they arrive. Items stay in their channels, and so in their windows, until they are
 * taken from here: the queue itself holds only whose turn it is.
 */
import { EndOfChannelError, TimeoutError } from '../errors.js'
import type { Channel } from './channel.js'
import { checkWait, ENDED, ItemQueue, TIMED_OUT, type WaitOptions } from './item-queue.js'

interface Turn<C> {
  readonly channel: C
  readonly isEnd: boolean
}

/** Gathers from many channels; see `MultiChannel.makeReceiveQueue`. */
export class ReceiveQueue<R = unknown, S = unknown, G = unknown> implements AsyncIterable<[Channel<R, S, G>, R]> {
  readonly #turns = new ItemQueue<Turn<Channel<R, S, G>>>()
  readonly #channels: readonly Channel<R, S, G>[]
  readonly #endmarker: { readonly value: unknown } | undefined
  #open: number

  /** @param endmarker - In an object, so that any value can be one; absent when there is none. */
  constructor(channels: readonly Channel<R, S, G>[], endmarker: { readonly value: unknown } | undefined) {
    this.#channels = channels
    this.#endmarker = endmarker
    this.#open = channels.length
    if (channels.length === 0) this.#turns.end()
    for (const channel of channels) {
      channel.listen({ onItem: () => this.#turns.push({ channel, isEnd: false }), onEnd: () => this.#onEnd(channel) })
    }
  }

  /**
   * Waits for the next item of any channel.
   *
   * @returns The channel and its item, in the order of arrival; with an endmarker also each channel and the endmarker, once, whatever ended it.
   * @throws {@link EndOfChannelError} when all channels have ended and everything has been taken.
   * @throws {@link TimeoutError} when nothing arrived in time.
   */
  async get(options: WaitOptions = {}): Promise<[Channel<R, S, G>, R]> {
    while (true) {
      const turn = await this.#next(options)
      if (turn === ENDED) throw new EndOfChannelError(`all ${this.#channels.length} channels have ended`)
      if (turn === TIMED_OUT) {
        throw new TimeoutError(`no item on ${this.#channels.length} channels after ${options.timeout} ms`)
      }
      const { channel, isEnd } = turn
      if (isEnd) return [channel, this.#endmarker?.value as R] // the endmarker's type is the caller's claim
      const taken = channel.takeNow()
      if (taken !== undefined) return [channel, taken[0]]
    }
  }

  /** Items until all channels have ended. */
  async *[Symbol.asyncIterator](): AsyncGenerator<[Channel<R, S, G>, R], undefined> {
    try {
      while (true) yield await this.get()
    } catch (error) {
      if (!(error instanceof EndOfChannelError)) throw error
    }
    return undefined
  }

  async #next(options: WaitOptions): Promise<Turn<Channel<R, S, G>> | typeof ENDED | typeof TIMED_OUT> {
    checkWait(options)
    const releases = this.#channels.map((channel) => channel.hold())
    try {
      return await this.#turns.take(options)
    } finally {
      for (const release of releases) release()
    }
  }

  #onEnd(channel: Channel<R, S, G>): void {
    if (this.#endmarker !== undefined) this.#turns.push({ channel, isEnd: true })
    if (--this.#open === 0) this.#turns.end()
  }
}
