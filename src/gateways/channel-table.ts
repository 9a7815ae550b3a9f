/**
 * The channels of one gateway that values refer to: those that are open, and those that the worker opened and that nobody has decoded a
 * reference to yet, which may be over before that.
 */
import { Channel } from '../channels/channel.js'
import { type ChannelFailure, isInterrupt, UntoldFailures } from '../channels/untold.js'
import { DumpError, LoadError, ProtocolError, RemoteError, type RemoteFailure } from '../errors.js'
import type { Reference } from '../protocol/codec.js'
import type { Connection } from '../protocol/connection.js'
import type { Endpoint } from '../protocol/endpoint.js'
import type { Item } from '../protocol/received-item.js'
import type { MakeError, Receiver } from '../protocol/receiver.js'

// What keeping a channel takes that the worker has opened, of which somebody may read a reference yet: with items, and without.
const CHANNEL_BYTES = 2048
const BARE_BYTES = 512
// References to so many may lie in queues: a window of 16 MiB has room for some 100,000.
const MAX_OVER = 2 ** 18

/** What a table needs of its gateway. */
export interface ChannelTableOwner {
  /** Told of failures that nobody asks for. */
  readonly report: (failure: ChannelFailure) => void
  /** Keeps the process alive while somebody waits; what it gives lets go. */
  readonly keepAlive: () => () => void
}

/** Stands for a channel that the worker has opened and on which nothing has come: most of those that a hostile one opens never are one. */
class Bare implements Receiver {
  readonly isAwaited = false
  readonly #make: (endpoint: Endpoint) => Receiver | undefined
  readonly #endpoint: Endpoint

  constructor(make: (endpoint: Endpoint) => Receiver | undefined, endpoint: Endpoint) {
    this.#make = make
    this.#endpoint = endpoint
  }

  onItem(item: Item): boolean {
    return this.#make(this.#endpoint)?.onItem(item) === true
  }

  onEnd(makeError?: MakeError): void {
    this.#make(this.#endpoint)?.onEnd(makeError)
  }
}

/** Makes channels, and finds them for the values that refer to them. */
export class ChannelTable<G> {
  readonly #gateway: G
  readonly #connection: Connection
  readonly #keepAlive: () => () => void
  readonly #unclaimed = new Map<number, Channel<unknown, unknown, G>>()
  /** Those that the worker closed while they were bare, but may have given to somebody. */
  readonly #over = new Set<number>()
  readonly #untold: UntoldFailures
  /** Those of tasks of the user's that have not ended. */
  readonly #tasks = new Set<Endpoint>()
  /** What the unclaimed take. */
  readonly #kept = new Map<number, number>()
  /** Those whose code was interrupted because the gateway ends: that is what their readers are told, once it is known how. */
  readonly #cutOff = new Map<Receiver, RemoteFailure>()
  /** Once the gateway has ended. */
  #makeEnd: (() => Error) | undefined
  /** Those to which references were sent: when they are over, as long as somebody here holds them. */
  readonly #sent = new Map<number, WeakRef<Channel<unknown, unknown, G>>>()
  readonly #forgotten = new FinalizationRegistry<number>((id) => {
    if (this.#sent.get(id)?.deref() === undefined) this.#sent.delete(id)
  })

  constructor(gateway: G, connection: Connection, { report, keepAlive }: ChannelTableOwner) {
    this.#gateway = gateway
    this.#connection = connection
    this.#keepAlive = keepAlive
    this.#untold = new UntoldFailures(report)
  }

  /** A channel that we opened. */
  add<R, S>(endpoint: Endpoint): Channel<R, S, G> {
    this.#sent.delete(endpoint.id)
    return new Channel<R, S, G>(endpoint, this.#gateway, this.#keepAlive)
  }

  /** That of a task of the user's. */
  addTask<R, S>(endpoint: Endpoint): Channel<R, S, G> {
    this.#tasks.add(endpoint)
    return this.add<R, S>(endpoint)
  }

  get runsTasks(): boolean {
    return this.#tasks.size > 0
  }

  /**
   * One of tendril's own: see `referred`.
   *
   * @param mostBytes - What an item that comes may have, now; any number when absent. What is bounded nobody has asked for.
   */
  addOwn<R, S>(endpoint: Endpoint, mostBytes?: () => number): Channel<R, S, G> {
    endpoint.isOwn = true
    endpoint.mostBytes = mostBytes
    return this.add(endpoint)
  }

  /** A channel that the worker opened. */
  addUnclaimed(endpoint: Endpoint): void {
    endpoint.narrow()
    endpoint.receiver = new Bare(this.#makeUnclaimed, endpoint)
    this.#sent.delete(endpoint.id)
    this.#over.delete(endpoint.id)
    this.#connection.held.hold(BARE_BYTES)
  }

  /** Makes one of a bare one; not when the gateway has ended: what is not known then has no other end. */
  readonly #makeUnclaimed = (endpoint: Endpoint): Channel<unknown, unknown, G> | undefined => {
    if (this.#makeEnd !== undefined) return undefined
    const channel = this.add(endpoint)
    this.#unclaimed.set(endpoint.id, channel as Channel<unknown, unknown, G>)
    this.#hold(endpoint.id, CHANNEL_BYTES)
    this.#connection.held.hold(-BARE_BYTES)
    return channel as Channel<unknown, unknown, G>
  }

  /**
   * The peer has closed a channel: it is forgotten, unless an item refers to it that may still lie undecoded in a queue.
   *
   * @param isEnding - The worker has been asked to leave.
   * @param isGiven - An item refers to it.
   * @param reasonBytes - What the failure takes.
   */
  close(
    endpoint: Endpoint,
    readFailure: (() => RemoteFailure) | undefined,
    { isEnding, isGiven, reasonBytes = 0 }: { isEnding: boolean; isGiven: boolean; reasonBytes?: number },
  ): void {
    const { id } = endpoint
    this.#tasks.delete(endpoint)
    if (endpoint.receiver instanceof Bare) {
      if (readFailure === undefined || !isGiven) return this.#closeBare(id, isGiven)
      this.#makeUnclaimed(endpoint)
    }
    const { receiver } = endpoint
    const unclaimed = this.#unclaimed.get(id)
    if (unclaimed !== undefined && !isGiven) return this.#forget(id, unclaimed)
    if (unclaimed !== undefined) this.#hold(id, CHANNEL_BYTES + reasonBytes)
    if (receiver === undefined || readFailure === undefined) return receiver?.onEnd()
    const failure = readFailure()
    if (isEnding && isInterrupt(failure)) return void this.#cutOff.set(receiver, failure)
    const watch = () => this.#untold.watch(receiver, { channel: id, failure })
    receiver.onEnd(() => new RemoteError(failure), unclaimed === undefined ? watch : undefined)
  }

  /** @throws {@link ProtocolError} when there are more than references can wait for. */
  #closeBare(id: number, isGiven: boolean): void {
    this.#connection.held.hold(-BARE_BYTES)
    if (isGiven) this.#over.add(id)
    if (this.#over.size > MAX_OVER)
      throw new ProtocolError(`the worker gave away and closed more than ${MAX_OVER} channels that nobody has taken`)
  }

  /** Nobody has it, or ever will. */
  #forget(id: number, channel: Channel<unknown, unknown, G>): void {
    this.#unclaimed.delete(id)
    this.#hold(id, 0)
    void channel.close()
  }

  /** What an unclaimed channel takes from now on. */
  #hold(id: number, bytes: number): void {
    const before = this.#kept.get(id) ?? 0
    if (bytes === 0) this.#kept.delete(id)
    else this.#kept.set(id, bytes)
    if (bytes !== before) this.#connection.held.hold(bytes - before)
  }

  /**
   * The channel that a decoded value refers to; one that is over, if it is over. A value may be decoded long after the gateway has
   * ended: what is not known any more has no clean end then, since nobody can tell whether it had one.
   *
   * @throws {@link LoadError} for one of tendril's own: whoever got it could end all calls.
   */
  referred(id: number): Channel<unknown, unknown, G> {
    const endpoint = this.#connection.endpoint(id)
    if (endpoint?.isOwn === true)
      throw new LoadError(`cannot load an item: it refers to channel ${id}, which is tendril's own`)
    if (endpoint?.receiver instanceof Bare) this.#makeUnclaimed(endpoint)
    const unclaimed = this.#unclaimed.get(id)
    this.#unclaimed.delete(id)
    this.#hold(id, 0)
    const channel = unclaimed ?? endpoint?.receiver ?? this.#sent.get(id)?.deref()
    if (channel instanceof Channel) return channel as Channel<unknown, unknown, G> // each of its channels is made here
    const over = new Channel<unknown, unknown, G>(this.#connection.goneEndpoint(id), this.#gateway, this.#keepAlive)
    over.onEnd(this.#over.delete(id) ? undefined : this.#makeEnd)
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
    this.#countSent(object as Channel<unknown, unknown, G>)
    return { kind: 'Channel', id: object.id }
  }

  #countSent(channel: Channel<unknown, unknown, G>): void {
    const endpoint = this.#connection.endpoint(channel.id)
    if (endpoint === undefined || endpoint.references++ > 0) return
    this.#sent.set(channel.id, new WeakRef(channel))
    this.#forgotten.register(channel, channel.id)
  }

  /** No code over there holds a channel. It is over, unless a reference is on its way that was not among those read there. */
  drop(endpoint: Endpoint, references: number): void {
    if (references !== endpoint.references) return
    endpoint.abandon()
    endpoint.receiver?.onEnd()
  }

  /** The gateway has ended, and every channel with it. Those that undecoded items refer to are kept for whoever decodes these. */
  endAll(makeError: (cause?: Error) => Error): void {
    this.#makeEnd = () => makeError()
    for (const [receiver, failure] of this.#cutOff) receiver.onEnd(() => makeError(new RemoteError(failure)))
    this.#cutOff.clear()
    this.#connection.lose(this.#makeEnd)
    this.#untold.reportAll()
  }
}
