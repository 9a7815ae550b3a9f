/** Several channels treated as one: send to each, receive from each, or gather from all as items arrive. */
import { setMaxListeners } from 'node:events'
import type { Channel } from './channel.js'
import type { WaitOptions } from './item-queue.js'
import type { Reservation } from './link.js'
import { ReceiveQueue } from './receive-queue.js'
import { anySignal } from './signals.js'
import { needsNobody, saysItIsOver } from './unawaited.js'

/**
 * Channels in a fixed order, often of the same code on several gateways.
 *
 * @example
 * ```ts
 * const squares = new MultiChannel([3, 4].map((n) => gateway.remoteExec('channel.send(n * n)', { n })))
 * await squares.receiveEach() // [9, 16]
 * ```
 */
export class MultiChannel<R = unknown, S = unknown, G = unknown> implements Iterable<Channel<R, S, G>> {
  readonly #channels: readonly Channel<R, S, G>[]
  #queue: ReceiveQueue<R, S, G> | undefined

  constructor(channels: Iterable<Channel<R, S, G>>) {
    this.#channels = [...channels]
  }

  /** How many channels there are. */
  get length(): number {
    return this.#channels.length
  }

  /**
   * The channel at an index; negative ones count from the end.
   *
   * @throws RangeError when there is none.
   */
  at(index: number): Channel<R, S, G> {
    const channel = this.#channels.at(index)
    if (channel === undefined) throw new RangeError(`no channel ${index}: there are ${this.#channels.length}`)
    return channel
  }

  [Symbol.iterator](): IterableIterator<Channel<R, S, G>> {
    return this.#channels[Symbol.iterator]()
  }

  /**
   * Sends an item on every channel; resolves when every window has taken it. As with `send`, nobody has to await it.
   *
   * @throws What `send` throws, or an AggregateError of several, after all have been tried.
   */
  sendEach(item: S): Promise<void> {
    const sending = this.#channels.map((channel) => channel.send(item))
    const sent: Promise<void> = all(sending, (failures) => {
      if (failures.every(saysItIsOver)) needsNobody(sent)
    })
    return sent
  }

  /**
   * Receives one item from every channel, all at the same time.
   *
   * @param options.withChannel - Gives pairs of channel and item.
   * @returns The items in the order of the channels.
   * @throws What `receive` throws, for the first channel that failed. The items of the others stay: they can be received.
   */
  receiveEach(options: WaitOptions & { readonly withChannel: true }): Promise<[Channel<R, S, G>, R][]>
  receiveEach(options?: WaitOptions & { readonly withChannel?: false | undefined }): Promise<R[]>
  async receiveEach(
    options: WaitOptions & { readonly withChannel?: boolean | undefined } = {},
  ): Promise<R[] | [Channel<R, S, G>, R][]> {
    const reserved = await reserveEach(this.#channels, options)
    const items = reserved.map(([channel, item]): [Channel<R, S, G>, R] => [channel, item.use()])
    return options.withChannel === true ? items : items.map(([, item]) => item)
  }

  /**
   * Makes a queue that gives the items of all channels as they arrive. The same queue on every call: the endmarker of the first one holds.
   *
   * @param options.endmarker - Each channel gives it exactly once, at its end, whatever ended it. Without one, iteration ends when all have ended.
   * @throws {@link ChannelClosedError} when the items of a channel go to a callback or another queue already.
   * @example
   * ```ts
   * const queue = new MultiChannel([channel]).makeReceiveQueue()
   * await channel.send('an item')
   * const [from, item] = await queue.get()
   * item // 'an item'
   * ```
   */
  makeReceiveQueue(options: { readonly endmarker?: unknown } = {}): ReceiveQueue<R, S, G> {
    this.#queue ??= new ReceiveQueue(this.#channels, 'endmarker' in options ? { value: options.endmarker } : undefined)
    return this.#queue
  }

  /**
   * Waits until all channels have ended.
   *
   * @throws The failure of the channel that failed, or an AggregateError of several, after all have ended.
   */
  async waitClose(options: WaitOptions = {}): Promise<void> {
    await all(this.#channels.map((channel) => channel.waitClose(options)))
  }
}

type Reserved<C, R> = readonly [channel: C, item: Reservation<R>]

/** Waits for an item of every channel. When one fails the others stop waiting, and give back what they have. */
async function reserveEach<R, S, G>(
  channels: readonly Channel<R, S, G>[],
  options: WaitOptions,
): Promise<Reserved<Channel<R, S, G>, R>[]> {
  const failed = new AbortController()
  const signal = options.signal ? anySignal([options.signal, failed.signal]) : failed.signal
  setMaxListeners(0, signal) // every channel listens: with more than ten Node would warn of a leak
  const reserving = channels.map(async (channel) => [channel, await channel.reserve({ ...options, signal })] as const)
  try {
    return await Promise.all(reserving)
  } catch (error) {
    failed.abort()
    for (const outcome of await Promise.allSettled(reserving)) {
      if (outcome.status === 'fulfilled') outcome.value[1].putBack()
    }
    throw error
  }
}

/** Waits for all; then throws the one failure, or an AggregateError of several, once `onFailures` has been told of them. */
async function all(
  promises: readonly Promise<void>[],
  onFailures: (failures: readonly unknown[]) => void = () => undefined,
): Promise<void> {
  const failures = (await Promise.allSettled(promises))
    .filter((outcome) => outcome.status === 'rejected')
    .map((outcome): unknown => outcome.reason)
  if (failures.length > 0) onFailures(failures)
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1)
    throw new AggregateError(failures, `${failures.length} of ${promises.length} channels failed`)
}
