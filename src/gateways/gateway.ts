/**
 * One running remote interpreter and the link to it. The only file where connection, codec, transport and channels meet:
 * each of them is told here what the others said, and nothing is decided here that one of them could decide.
 */
import type { Channel } from '../channels/channel.js'
import type { Arrival, ChannelLink } from '../channels/link.js'
import { ProtocolError, RemoteError, remoteFailureFrom, TimeoutError } from '../errors.js'
import { decode, encode, PORTABLE_PROTOCOL } from '../protocol/codec.js'
import { Connection } from '../protocol/connection.js'
import type { Transport, TransportEnd } from '../transports/transport.js'
import { bootstrapBytes, makeMarker } from './bootstrap.js'
import { ChannelTable } from './channel-table.js'
import { bootstrapError, closedError, type GatewayEnd, gatewayEnd, SetupFault } from './end.js'
import { earlyExtras, lateExtras, type PushedSource, pushPayload } from './extras.js'
import { type GatewayInfo, type GatewayStatus, type Hello, parseHello, parseStatus, setupOf } from './hello.js'
import { KeepAlive } from './keep-alive.js'
import { type OnOutput, OutputLines } from './output.js'
import { settled } from './settled.js'
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
  /** Told of the worker's interpreter when it is ready. */
  readonly onHello?: ((hello: Hello) => void) | undefined
}

const CONNECT_TIMEOUT_MS = 15_000

/** A running Python and the link to it. Made by `makeGateway` or a group. */
export class Gateway implements AsyncDisposable {
  readonly id: string
  readonly spec: XSpec
  /** Where the worker is, for kinds that reach a host; undefined for a local process. */
  readonly remoteAddress: string | undefined
  /** Resolves when the worker has said hello; rejects with a BootstrapError, or what the kind of gateway says. */
  readonly ready: Promise<this>
  /** Resolves when the gateway has ended, and says how. Never rejects. */
  readonly closed: Promise<GatewayEnd>
  readonly #transport: Transport
  readonly #connection: Connection
  readonly #output: OutputLines
  readonly #keepAlive: KeepAlive
  readonly #writer: Writer
  readonly #channels: ChannelTable<Gateway> = new ChannelTable<Gateway>(this, (id) => this.#link(id))
  readonly #statuses = new StatusRequests()
  readonly #tried: readonly string[]
  #hello: Hello | undefined
  #end: GatewayEnd | undefined
  #fault: Error | undefined
  #wasAsked = false
  readonly #helloArrived = settled<void>()

  constructor(parts: GatewayParts) {
    const { id, spec, transport, tried } = parts
    this.id = id
    this.spec = spec
    this.remoteAddress = transport.remoteAddress
    this.#transport = transport
    this.#tried = tried
    this.#output = new OutputLines(id, parts.onOutput)
    this.#keepAlive = new KeepAlive((isWanted) => transport.keepAlive(isWanted))
    const marker = makeMarker()
    this.#connection = new Connection(this.#connectionEvents(parts.onHello), marker)
    this.#writer = new Writer(this.#connection, transport, () => this.#begin(marker))
    const ending = settled<GatewayEnd>()
    this.closed = ending.promise
    this.ready = this.#becomeReady()
    this.ready.catch(() => undefined) // whoever does not await it learns the same from `closed` and from every channel
    transport.start({
      onChunk: (chunk) => this.#receive(chunk),
      onStderr: (chunk) => this.#output.feed('stderr', 0, chunk),
      onDrain: () => this.#writer.onDrain(),
      onEnd: (end) => ending.settle(this.#onEnd(end)),
    })
    this.#connection.sendPush(earlyExtras())
    this.#connection.sendSetup(this.#encode(setupOf(id, spec)))
  }

  /** Whether the worker is there: it said hello, and has not ended. */
  get isReceiving(): boolean {
    return this.#hello !== undefined && this.#end === undefined
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
  ): Channel<R, S, Gateway> {
    this.#checkOpen()
    return this.#channels.add<R, S>(this.#connection.exec(this.#encode({ ...readSource(source), kwargs })))
  }

  /** A new channel that runs nothing. Send it over another channel, so that remote code has its other end. */
  newChannel<R = unknown, S = unknown>(): Channel<R, S, Gateway> {
    this.#checkOpen()
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
    const report = terminate(this, options.timeout, {
      ask: (graceMs) => {
        this.#wasAsked = true
        this.#connection.sendTerminate(graceMs)
      },
      kill: (signal) => this.#transport.kill(signal),
    })
    return report.finally(release)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
  }

  toString(): string {
    return `${this.id} (${String(this.spec)})`
  }

  /** @internal Ships Python sources ahead of the frame that needs them. */
  push(sources: Readonly<Record<string, PushedSource>>): void {
    this.#checkOpen()
    this.#connection.sendPush(pushPayload(sources))
  }

  async #becomeReady(): Promise<this> {
    const release = this.#keepAlive.hold()
    const timeoutMs = this.spec.timeout ?? CONNECT_TIMEOUT_MS
    const timer = setTimeout(
      () => this.#fail(new TimeoutError(`it said nothing for ${timeoutMs / 1000} s (key timeout=)`)),
      timeoutMs,
    )
    try {
      await Promise.race([this.#helloArrived.promise, this.closed])
      if (this.#hello?.error === undefined && this.#end === undefined) return this
      await this.closed
      throw this.#endError()
    } finally {
      clearTimeout(timer)
      release()
    }
  }

  #connectionEvents(onHello: GatewayParts['onHello']): ConstructorParameters<typeof Connection>[0] {
    return {
      onHello: (payload) => {
        if (this.#hello !== undefined) throw new ProtocolError('the worker said hello twice')
        this.#hello = parseHello(payload)
        if (this.#hello.error !== undefined) this.#fault ??= new SetupFault(this.#hello.error)
        else {
          this.#output.release()
          onHello?.(this.#hello)
        }
        this.#helloArrived.settle()
      },
      onOpen: (id) => this.#channels.addUnclaimed(id),
      onItem: (id, payload) => {
        const taken = this.#channels.get(id)?.deliver(this.#arrival(id, payload)) ?? false
        if (!taken) this.#connection.consume(id, payload.length)
      },
      onEnd: (id) => this.#channels.get(id)?.endItems(),
      onClose: (id, reason) => this.#onChannelClose(id, reason),
      onOutput: (id, stream, text) => this.#output.feed(stream, id, text),
      onStatus: (request, payload) => this.#statuses.answer(request, payload),
      onOutgoing: () => this.#writer.schedule(),
    }
  }

  #receive(chunk: Uint8Array): void {
    if (this.#fault !== undefined) return
    try {
      this.#connection.receive(chunk)
    } catch (error) {
      this.#fail(error instanceof Error ? error : new ProtocolError(String(error)))
    }
  }

  /** The link is of no more use: everybody learns why when the far end has gone. */
  #fail(fault: Error): void {
    this.#fault ??= fault
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

  #onEnd(end: TransportEnd): GatewayEnd {
    this.#output.flush()
    const ended = gatewayEnd(end, { wasAsked: this.#wasAsked, stderrTail: this.#output.stderrTail, fault: this.#fault })
    this.#end = ended
    this.#writer.stop()
    this.#channels.endAll(() => this.#endError())
    this.#connection.dropAll()
    this.#statuses.end()
    return ended
  }

  #endError(): Error {
    const end = this.#end ?? { reason: 'lost', stderrTail: '' }
    if (this.#hello?.error === undefined && this.#hello !== undefined) return closedError(String(this), end)
    return bootstrapError(String(this), end, { tried: this.#tried, noise: this.#connection.noise })
  }

  #checkOpen(): void {
    if (this.#end !== undefined) throw this.#endError()
  }

  async #requestStatus(): Promise<ReturnType<typeof parseStatus>> {
    this.#checkOpen()
    const release = this.#keepAlive.hold()
    try {
      const payload = await this.#statuses.wait(this.#connection.requestStatus())
      if (payload === undefined) throw this.#endError()
      return parseStatus(payload)
    } finally {
      release()
    }
  }

  #link(id: number): ChannelLink<Gateway> {
    return {
      gateway: this,
      send: (item) => {
        this.#checkOpen()
        const parts = this.#encode(item)
        if (this.#connection.sendNow(id, parts)) return true
        return new Promise((resolve) => this.#connection.sendItem(id, parts, (dropped) => resolve(dropped !== true)))
      },
      sendEnd: () => this.#connection.sendEnd(id),
      close: (reason) => this.#connection.close(id, reason === undefined ? undefined : this.#encode(reason)),
      hold: () => this.#keepAlive.hold(),
    }
  }

  #arrival(id: number, payload: Uint8Array): Arrival {
    return {
      decode: () => decode(payload, { channel: (referred) => this.#channels.referred(referred) }),
      consume: () => this.#connection.consume(id, payload.length),
    }
  }

  #encode(value: unknown): Uint8Array[] {
    return encode(value, {
      protocol: this.#hello?.pickle ?? PORTABLE_PROTOCOL,
      channelId: (object) => this.#channels.idOf(object),
    })
  }

  /** What goes ahead of all frames; the extras go behind those that there are, the first task among them. */
  #begin(marker: string): Uint8Array[] {
    this.#connection.sendPush(lateExtras())
    return bootstrapBytes(marker)
  }
}
