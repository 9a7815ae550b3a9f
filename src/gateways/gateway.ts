/**
 * One running remote interpreter and the link to it. The only file where connection, codec, transport and channels meet:
 * each of them is told here what the others said, and nothing is decided here that one of them could decide.
 */
import type { Channel } from '../channels/channel.js'
import type { ChannelLink } from '../channels/link.js'
import { ProtocolError, RemoteError, remoteFailureFrom } from '../errors.js'
import { isScalar } from '../protocol/batch.js'
import { decode, encode, type Reference } from '../protocol/codec.js'
import { Connection } from '../protocol/connection.js'
import { wholeBytesOf } from '../protocol/whole-bytes.js'
import type { Transport, TransportEnd } from '../transports/transport.js'
import { bootstrapBytes, makeMarker } from './bootstrap.js'
import { ChannelTable } from './channel-table.js'
import type { GatewayEnd } from './end.js'
import { earlyExtras, lateExtras, type PushedSource, pushPayload } from './extras.js'
import { type GatewayInfo, type GatewayStatus, type Hello, parseStatus, setupOf } from './hello.js'
import { KeepAlive } from './keep-alive.js'
import { Lifetime } from './lifetime.js'
import type { Opening } from './opening.js'
import { type OnOutput, OutputLines } from './output.js'
import { readSource, type Source } from './source.js'
import { StatusRequests } from './status-requests.js'
import { type TerminateReport, terminate } from './termination.js'
import { Writer } from './writer.js'
import type { XSpec } from './xspec.js'

/** What a gateway is made of; groups make them. */
export interface GatewayParts {
  readonly id: string
  readonly spec: XSpec
  readonly transport: Transport
  /** The command line or address, for errors. */
  readonly tried: readonly string[]
  readonly onOutput: OnOutput
  readonly opening: Opening
  /** Told of the worker's interpreter when it is ready. */
  readonly onHello?: ((hello: Hello) => void) | undefined
}

/** A running Python and the link to it. Made by `makeGateway` or a group. */
export class Gateway implements AsyncDisposable {
  readonly id: string
  readonly spec: XSpec
  /** Resolves when the worker has said hello; rejects with a BootstrapError, or what the kind of gateway says. */
  readonly ready: Promise<this>
  /** Resolves when the gateway has ended, and says how. Never rejects. */
  readonly closed: Promise<GatewayEnd>
  readonly #transport: Transport
  readonly #opening: Opening
  readonly #connection: Connection
  readonly #output: OutputLines
  readonly #keepAlive: KeepAlive
  readonly #writer: Writer
  readonly #channels: ChannelTable<this> = new ChannelTable<this>(this, (id) => this.#link(id))
  readonly #statuses = new StatusRequests()
  readonly #lifetime: Lifetime

  constructor(parts: GatewayParts) {
    const { id, spec, transport, tried, opening } = parts
    this.id = id
    this.spec = spec
    this.#transport = transport
    this.#opening = opening
    this.#lifetime = new Lifetime({ name: String(this), tried, opening, noise: () => this.#connection.noise })
    this.#output = new OutputLines(id, parts.onOutput)
    this.#keepAlive = new KeepAlive((isWanted) => transport.keepAlive(isWanted))
    const marker = makeMarker()
    this.#connection = new Connection(this.#connectionEvents(parts.onHello), marker)
    this.#writer = new Writer(this.#connection, transport, () => this.#begin(marker))
    this.closed = this.#lifetime.closed
    this.ready = this.#becomeReady()
    this.ready.catch(() => undefined) // whoever does not await it learns the same from `closed` and from every channel
    transport.start({
      onChunk: (chunk) => this.#receive(chunk),
      onStderr: (chunk) => this.#output.feed('stderr', 0, chunk),
      onDrain: () => this.#writer.onDrain(),
      onEnd: (end) => this.#onEnd(end),
    })
    opening.begin((fault) => this.fail(fault))
    this.#connection.sendPush(earlyExtras())
    this.#connection.sendSetup(this.#encode(setupOf(id, spec)))
  }

  /** Where the worker is, for kinds that reach a host, once that is known; undefined for a local process. */
  get remoteAddress(): string | undefined {
    return this.#transport.remoteAddress
  }

  /** Whether the worker is there: it said hello, and has not ended. */
  get isReceiving(): boolean {
    return this.#lifetime.isReceiving
  }

  /**
   * Runs Python source on the other side, without waiting for anything.
   *
   * @param source - Its text, a file, or a function in either; see `Source`. Code finds `channel` in scope, and `__name__ == '__channelexec__'`.
   * @param kwargs - Names in scope; for a function, its keyword arguments.
   * @returns The near end of the code's `channel`. It closes when the code ends, with a RemoteError when it raised.
   * @throws {@link DumpError} when a kwarg cannot be sent, {@link GatewayClosedError} when the gateway has ended.
   */
  remoteExec<R = unknown, S = unknown>(
    source: Source,
    kwargs: Readonly<Record<string, unknown>> = {},
  ): Channel<R, S, this> {
    this.#lifetime.checkOpen()
    return this.#channels.add<R, S>(this.#connection.exec(this.#encode({ ...readSource(source), kwargs })))
  }

  /** A new channel that runs nothing. Send it over another channel, so that remote code has its other end. */
  newChannel<R = unknown, S = unknown>(): Channel<R, S, this> {
    this.#lifetime.checkOpen()
    return this.#channels.add<R, S>(this.#connection.open())
  }

  /** What the worker is doing; answered while tasks run. */
  async remoteStatus(): Promise<GatewayStatus> {
    return (await this.#requestStatus()).status
  }

  /** The worker's interpreter and process, as they are now. */
  async info(): Promise<GatewayInfo> {
    return (await this.#requestStatus()).info
  }

  /** Ends the gateway in peace, and for certain: what has not ended by then is killed. Idempotent. */
  async exit(): Promise<void> {
    await this.terminate()
  }

  /**
   * Ends the gateway: channels come to their end, tasks have `timeout` to finish, then the worker and all it started are killed.
   *
   * @param options.timeout - Milliseconds; 2000 when absent.
   * @returns What had to be killed.
   */
  terminate(options: { readonly timeout?: number } = {}): Promise<TerminateReport> {
    const release = this.#keepAlive.hold()
    return terminate(this, options.timeout, {
      ask: (graceMs) => {
        this.#connection.sendTerminate(graceMs)
        if (this.#lifetime.ask()) this.#cut()
      },
      kill: (signal) => this.#transport.kill(signal),
    }).finally(release)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
  }

  toString(): string {
    return `${this.id} (${String(this.spec)})`
  }

  /** @internal Ships Python sources ahead of the frame that needs them. */
  push(sources: Readonly<Record<string, PushedSource>>): void {
    this.#lifetime.checkOpen()
    this.#connection.sendPush(pushPayload(sources))
  }

  /** @internal What stands for an object of a feature when it is sent; features that have such objects say so here. */
  protected referenceTo(_object: object): Reference | undefined {
    return undefined
  }

  /** @internal What a reference of such a kind stands for; undefined when there is none. */
  protected referred(_kind: string, _id: number): unknown {
    return undefined
  }

  async #becomeReady(): Promise<this> {
    const release = this.#keepAlive.hold()
    try {
      await this.#lifetime.ready()
      return this
    } finally {
      release()
    }
  }

  #connectionEvents(onHello: GatewayParts['onHello']): ConstructorParameters<typeof Connection>[0] {
    return {
      onHello: (payload) => {
        const hello = this.#lifetime.greet(payload)
        if (hello === undefined) return
        this.#output.release()
        onHello?.(hello)
      },
      onOpen: (id) => this.#channels.addUnclaimed(id),
      onItem: (id, payload) => this.#deliver(id, payload.length, () => this.#decode(payload)),
      onBytes: (id, bytes, payloadBytes) => this.#deliver(id, payloadBytes, () => bytes),
      onEnd: (id) => this.#channels.get(id)?.endItems(),
      onClose: (id, reason) => this.#onChannelClose(id, reason),
      onOutput: (id, stream, text) => this.#output.feed(stream, id, text),
      onStatus: (request, payload) => this.#statuses.answer(request, payload),
      onOutgoing: () => this.#writer.schedule(),
    }
  }

  #receive(chunk: Uint8Array): void {
    if (this.#lifetime.hasFault) return
    try {
      this.#connection.receive(chunk)
    } catch (error) {
      this.fail(error instanceof Error ? error : new ProtocolError(String(error)))
    }
  }

  /** @internal The link is of no more use: everybody learns why when the far end has gone. */
  fail(fault: Error): void {
    this.#lifetime.fail(fault)
    this.#cut()
  }

  #cut(): void {
    this.#opening.abort()
    this.#transport.kill('SIGKILL')
    this.#transport.endInput()
  }

  #onChannelClose(id: number, reason: Uint8Array | undefined): void {
    const channel = this.#channels.get(id)
    this.#channels.remove(id)
    if (channel === undefined) return
    this.#output.flush(id)
    channel.endSending()
    if (reason === undefined) return channel.endItems()
    const failure = remoteFailureFrom(decode(reason), this.id)
    channel.endItems(() => new RemoteError(failure))
  }

  #onEnd(end: TransportEnd): void {
    this.#output.flush()
    this.#lifetime.end(end, this.#output.stderrTail)
    this.#writer.stop()
    this.#channels.endAll(() => this.#lifetime.endError())
    this.#connection.dropAll()
    this.#statuses.end()
  }

  async #requestStatus(): Promise<ReturnType<typeof parseStatus>> {
    this.#lifetime.checkOpen()
    const release = this.#keepAlive.hold()
    try {
      const payload = await this.#statuses.wait(this.#connection.requestStatus())
      if (payload === undefined) throw this.#lifetime.endError()
      return parseStatus(payload)
    } finally {
      release()
    }
  }

  #link(id: number): ChannelLink<this> {
    return {
      gateway: this,
      send: (item) => {
        this.#lifetime.checkOpen()
        if (isScalar(item) && this.#connection.sendScalar(id, item)) return true
        const bytes = wholeBytesOf(item)
        const parts = bytes === undefined ? this.#encode(item) : []
        if (bytes === undefined && this.#connection.sendNow(id, parts)) return true
        return new Promise((resolve) => {
          const onDone = (dropped?: boolean): void => resolve(dropped !== true)
          if (bytes === undefined) this.#connection.sendItem(id, parts, onDone)
          else this.#connection.sendBytes(id, bytes, onDone)
        })
      },
      sendEnd: () => this.#connection.sendEnd(id),
      unsent: () => this.#connection.unsent(id),
      close: (reason) => this.#connection.close(id, reason === undefined ? undefined : this.#encode(reason)),
      hold: () => this.#keepAlive.hold(),
    }
  }

  #deliver(id: number, payloadBytes: number, decodeItem: () => unknown): void {
    const consume = (): void => this.#connection.consume(id, payloadBytes)
    if (this.#channels.get(id)?.deliver({ decode: decodeItem, consume }) !== true) consume()
  }

  #decode(payload: Uint8Array): unknown {
    return decode(payload, {
      referred: (kind, id) => (kind === 'Channel' ? this.#channels.referred(id) : this.referred(kind, id)),
    })
  }

  #encode(value: unknown): Uint8Array[] {
    return encode(value, {
      protocol: this.#lifetime.pickle,
      referenceTo: (object) => this.#channels.referenceTo(object) ?? this.referenceTo(object),
    })
  }

  /** What goes ahead of all frames; the extras go behind those that there are, the first task among them. */
  #begin(marker: string): Uint8Array[] {
    this.#connection.sendPush(lateExtras())
    return bootstrapBytes(marker)
  }
}
