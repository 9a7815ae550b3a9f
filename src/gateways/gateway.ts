/**
 * One running remote interpreter and the link to it. The only file where connection, codec, transport and channels meet:
 * each of them is told here what the others said, and nothing is decided here that one of them could decide.
 */
import type { Channel } from '../channels/channel.js'
import { untoldText } from '../channels/untold.js'
import { ProtocolError } from '../errors.js'
import type { Reference } from '../protocol/codec.js'
import { Connection } from '../protocol/connection.js'
import type { Endpoint } from '../protocol/endpoint.js'
import { Kind } from '../protocol/frames.js'
import { MAX_ITEM_BYTES, type TooLong } from '../protocol/too-long.js'
import type { XSpec } from '../specs/xspec.js'
import { Pace } from '../transports/pace.js'
import type { Transport, TransportEnd } from '../transports/transport.js'
import { bootstrapBytes, makeMarker } from './bootstrap.js'
import { ChannelTable } from './channel-table.js'
import { failureOfClose } from './close-reason.js'
import { Coding } from './coding.js'
import type { GatewayEnd } from './end.js'
import { equip } from './equip.js'
import { LateExtras, type PushedSource, pushPayload, workerFolder } from './extras.js'
import type { GatewayParts } from './gateway-parts.js'
import { type GatewayInfo, type GatewayStatus, isPlaced, parseStatus, setupOf } from './hello.js'
import { withoutValues } from './hidden-variables.js'
import { KeepAlive } from './keep-alive.js'
import { watchTasks } from './last-tasks.js'
import { LastWords } from './last-words.js'
import { Lifetime } from './lifetime.js'
import type { Opening } from './opening.js'
import { type OutputLine, OutputLines } from './output.js'
import { readSource, readTask, type Source } from './source.js'
import { StatusRequests } from './status-requests.js'
import { type TerminateReport, terminate } from './termination.js'
import { TracedConnection } from './trace.js'
import { Writer } from './writer.js'

// Of what a worker that has ended had printed, at once.
const FED_BYTES = 64 * 1024

/** A running Python and the link to it. Made by `makeGateway` or a group. */
export class BaseGateway implements AsyncDisposable {
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
  readonly #lastWords: LastWords
  readonly #keepAlive: KeepAlive
  readonly #writer: Writer
  readonly #channels: ChannelTable<this>
  readonly #coding: Coding
  readonly #statuses = new StatusRequests()
  readonly #extras = new LateExtras((payload) => this.#connection.sendPush(payload))
  readonly #lifetime: Lifetime

  constructor(parts: GatewayParts) {
    const { id, spec, transport, tried, opening, maxItemBytes = MAX_ITEM_BYTES } = parts
    this.id = id
    this.spec = spec
    this.#transport = transport
    this.#opening = opening
    const hide = (said: string): string => withoutValues(said, spec.env)
    this.#lifetime = new Lifetime({ name: String(this), tried, opening, noise: () => hide(this.#connection.noise) })
    this.#output = new OutputLines(id, parts.onOutput, hide)
    this.#keepAlive = new KeepAlive((isWanted) => transport.keepAlive(isWanted))
    const marker = makeMarker()
    const limits = { maxItemBytes, maxHeldBytes: parts.maxHeldBytes ?? Number.POSITIVE_INFINITY }
    this.#lastWords = new LastWords(marker)
    this.#coding = new Coding({
      protocol: () => this.#lifetime.pickle,
      maxItemBytes,
      referenceTo: (object) => this.#channels.referenceTo(object) ?? this.referenceTo(object),
      referred: (kind, id) => (kind === 'Channel' ? this.#channels.referred(id) : this.referred(kind, id)),
    })
    const wired = [this.#connectionEvents(parts.onHello), this.#coding, marker, limits] as const
    this.#connection =
      parts.trace === undefined ? new Connection(...wired) : new TracedConnection(parts.trace, ...wired)
    this.#channels = new ChannelTable<this>(this, this.#connection, {
      report: (failure) => this.#output.say(failure.channel, untoldText(failure)),
      keepAlive: () => this.#keepAlive.hold(),
    })
    this.#writer = new Writer(this.#connection, transport, () => this.#begin(marker), this)
    this.closed = this.#lifetime.closed
    const tasks = { runsTasks: () => this.#channels.runsTasks, keepAlive: () => this.#keepAlive.hold() }
    void this.closed.then(watchTasks(tasks))
    this.ready = this.#becomeReady()
    this.ready.catch(() => undefined) // whoever does not await it learns the same from `closed` and from every channel
    transport.start({
      onChunk: (chunk) => this.#receive(chunk),
      onStderr: (chunk) => this.#output.feed('stderr', 0, this.#lastWords.take(chunk)),
      onDrain: () => this.#writer.onDrain(),
      onEnd: (end) => void this.#onEnd(end),
    })
    opening.begin((fault) => this.fail(fault))
    const setup = setupOf(id, spec, { variables: parts.variables, maxItemBytes })
    if (isPlaced(setup)) equip(this, workerFolder, ['place'])
    this.#connection.sendSetup(this.#coding.encode(setup))
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
   * @throws {@link DumpError} when a kwarg cannot be sent, TypeError when one is called `channel` or as nothing in Python can be,
   *   {@link GatewayClosedError} when the gateway has ended.
   */
  remoteExec<R = unknown, S = unknown>(
    source: Source,
    kwargs: Readonly<Record<string, unknown>> = {},
  ): Channel<R, S, this> {
    this.#lifetime.checkOpen()
    return this.#channels.addTask<R, S>(this.#connection.exec(this.#coding.encode(readTask(source, kwargs))))
  }

  /** @internal As `remoteExec`, for code of tendril's own: it has a thread of its own, and leaves the main one to the user's. */
  execAside<R = unknown, S = unknown>(
    source: Source,
    kwargs: Readonly<Record<string, unknown>> = {},
  ): Channel<R, S, this> {
    this.#lifetime.checkOpen()
    const task = this.#coding.encode({ ...readSource(source), kwargs })
    return this.#channels.addOwn<R, S>(this.#connection.exec(task, Kind.ASIDE))
  }

  /** A new channel that runs nothing. Send it over another channel, so that remote code has its other end. */
  newChannel<R = unknown, S = unknown>(): Channel<R, S, this> {
    this.#lifetime.checkOpen()
    return this.#channels.add<R, S>(this.#connection.open())
  }

  /**
   * @internal As `newChannel`, for a feature: no item of the worker's can give it to anybody else.
   * @param mostBytes - What nobody has asked for: an item that begins now may have so many bytes, and is read in a short time.
   */
  ownChannel<R = unknown, S = unknown>(mostBytes?: () => number): Channel<R, S, this> {
    this.#lifetime.checkOpen()
    return this.#channels.addOwn<R, S>(this.#connection.open(), mostBytes)
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.exit()
  }

  toString(): string {
    return `${this.id} (${this.spec.shown})`
  }

  /** What `JSON.stringify` shows of it: as XSpec, without the values of variables. */
  toJSON(): { readonly id: string; readonly spec: string } {
    return { id: this.id, spec: this.spec.shown }
  }

  /** @internal What to tell of a failure of code there; see `Lifetime`. */
  explain(failure: Error): Promise<Error> {
    return this.#lifetime.explain(failure)
  }

  /** @internal Tells the user something, where what the worker prints goes. */
  say(text: string): void {
    this.#output.say(0, text)
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
    await this.#lifetime.ready().finally(this.#keepAlive.hold())
    return this
  }

  #connectionEvents(onHello: GatewayParts['onHello']): ConstructorParameters<typeof Connection>[0] {
    return {
      onHello: (payload) => {
        const hello = this.#lifetime.greet(payload)
        if (hello === undefined) return
        this.#output.release()
        this.#transport.greeted?.()
        onHello?.(hello)
      },
      onOpen: (endpoint) => this.#channels.addUnclaimed(endpoint),
      onClose: (endpoint, reason, isGiven) => this.#onChannelClose(endpoint, reason, isGiven),
      onDropped: (endpoint, references) => this.#channels.drop(endpoint, references),
      onOutput: (id, stream, text) => {
        this.#lastWords.count(stream, text.length)
        this.#output.feed(stream, id, text)
      },
      onStatus: (request, payload) => this.#statuses.answer(request, payload),
      onLongFrame: () => this.#extras.send(),
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

  #onChannelClose(endpoint: Endpoint, reason: Uint8Array | TooLong | undefined, isGiven: boolean): void {
    this.#output.flush(endpoint.id)
    const readFailure = reason && (() => failureOfClose(reason, this.id))
    this.#channels.close(endpoint, readFailure, {
      isEnding: this.#lifetime.wasAsked,
      isGiven,
      reasonBytes: reason instanceof Uint8Array ? reason.length : 0,
    })
  }

  async #onEnd(end: TransportEnd): Promise<void> {
    for (const [stream, text] of this.#lastWords.rest()) {
      if (text.length <= FED_BYTES) this.#output.feed(stream, 0, text)
      else await this.#feedSlowly(stream, text)
    }
    this.#output.flush()
    this.#lifetime.end(end, this.#output.stderrTail)
    this.#writer.stop()
    this.#channels.endAll((cause) => this.#lifetime.endError(cause))
    this.#statuses.end()
  }

  /** Others have their turn meanwhile. */
  async #feedSlowly(stream: OutputLine['stream'], text: Uint8Array): Promise<void> {
    const pace = new Pace()
    for (let at = 0; at < text.length; at += FED_BYTES) {
      pace.begin()
      this.#output.feed(stream, 0, text.subarray(at, at + FED_BYTES))
      if (pace.end()) await pace.break()
    }
  }

  async #requestStatus(): Promise<ReturnType<typeof parseStatus>> {
    this.#lifetime.checkOpen()
    equip(this, workerFolder, ['status'])
    const release = this.#keepAlive.hold()
    try {
      const payload = await this.#statuses.wait(this.#connection.requestStatus())
      if (payload === undefined) throw this.#lifetime.endError()
      return parseStatus(payload)
    } finally {
      release()
    }
  }

  /** What goes ahead of all frames; the extras go behind those that there are, the first task among them, unless that is long. */
  #begin(marker: string): Uint8Array[] {
    this.#extras.send()
    return bootstrapBytes(marker)
  }
}
