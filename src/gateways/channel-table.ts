/**
 * The channels of one gateway by id: those that are open, and those that the worker opened and that nobody has decoded a
 * reference to yet, which may be over before that.
 */
import { Channel } from '../channels/channel.js'
import type { ChannelLink, MakeError } from '../channels/link.js'
import { DumpError } from '../errors.js'
import type { Reference } from '../protocol/codec.js'

/** Finds channels for frames, and for the values that refer to them. */
export class ChannelTable<G> {
  readonly #gateway: G
  readonly #makeLink: (id: number) => ChannelLink<G>
  readonly #open = new Map<number, Channel<unknown, unknown, G>>()
  readonly #unclaimed = new Map<number, Channel<unknown, unknown, G>>()

  constructor(gateway: G, makeLink: (id: number) => ChannelLink<G>) {
    this.#gateway = gateway
    this.#makeLink = makeLink
  }

  /** A channel that we opened. */
  add<R, S>(id: number): Channel<R, S, G> {
    const channel = new Channel<R, S, G>(id, this.#makeLink(id))
    this.#open.set(id, channel as Channel<unknown, unknown, G>) // R and S are the caller's claim; the table holds any
    return channel
  }

  /** A channel that the worker opened. */
  addUnclaimed(id: number): void {
    this.#unclaimed.set(id, this.add(id))
  }

  get(id: number): Channel<unknown, unknown, G> | undefined {
    return this.#open.get(id)
  }

  /** Forgets a channel that is over, unless a reference to it may still lie undecoded in a queue. */
  remove(id: number): void {
    this.#open.delete(id)
  }

  /** The channel that a decoded value refers to; one that is over, if it is over. */
  referred(id: number): Channel<unknown, unknown, G> {
    const unclaimed = this.#unclaimed.get(id)
    this.#unclaimed.delete(id)
    const channel = unclaimed ?? this.#open.get(id)
    if (channel !== undefined) return channel
    const over = new Channel<unknown, unknown, G>(id, this.#makeLink(id))
    over.endSending()
    over.endItems()
    return over
  }

  /**
   * What stands for a channel in a value; undefined when the object is no channel.
   *
   * @throws {@link DumpError} for a channel of another gateway, and for one that is closed.
   */
  referenceTo(object: object): Reference | undefined {
    if (!(object instanceof Channel)) return undefined
    if (object.gateway !== this.#gateway) {
      throw new DumpError(`${object} belongs to another gateway, which knows nothing of it`, { path: '' })
    }
    if (object.isClosed) throw new DumpError(`${object} is closed`, { path: '' })
    return { kind: 'Channel', id: object.id }
  }

  /** The gateway has ended, and every channel with it. */
  endAll(makeError: MakeError): void {
    for (const channel of this.#open.values()) {
      channel.endSending()
      channel.endItems(makeError)
    }
    this.#open.clear()
    this.#unclaimed.clear()
  }
}
