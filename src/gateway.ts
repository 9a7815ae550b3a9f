/** What users hold: the core's gateway with the methods of every feature, each of which only says where its feature is. */
import {
  Channel as BaseChannel,
  BaseGateway,
  MultiChannel as BaseMultiChannel,
  ReceiveQueue as BaseReceiveQueue,
  isUrl,
  type Reference,
  type Source,
  type WaitOptions,
} from './core.js'
import { execAbortably } from './features/calls/abortable-exec.js'
import { runAside } from './features/calls/aside.js'
import { type CallOptions, canBeAborted, checkCallOptions } from './features/calls/call-options.js'
import {
  callFunction,
  type ExecuteOptions,
  evaluate,
  evaluateTemplate,
  executeSource,
  getValue,
  type Names,
  refuseSignals,
} from './features/calls/calls.js'
import type { GivenUpCall } from './features/calls/given-up.js'
import { followLog, type LogOptions, type LogRecord, type LogSubscription } from './features/calls/log.js'
import { type PostMortem, postMortemOf } from './features/calls/post-mortem.js'
import { Session } from './features/calls/session.js'
import { type RemoteThread, stacksOf } from './features/calls/stacks.js'
import { SentTemplates } from './features/calls/template.js'
import { viewOf, withDefaults } from './features/calls/view.js'
import { getFiles } from './features/copies/get.js'
import type { CopyOptions, CopyReport, PutOptions } from './features/copies/options.js'
import { type PutSource, putFiles } from './features/copies/put.js'
import { readRemoteFile } from './features/copies/read.js'
import { type ProvideOptions, provide } from './features/elastic/provide.js'
import { type Forward, type ForwardOptions, forward } from './features/forwarding/forward.js'
import type { Exposed } from './features/proxies/callbacks.js'
import type { Modules, Pending } from './features/proxies/remote.js'
import {
  type GatewayStats,
  type RemoteDoors,
  RemoteObjects,
  type RemoteReferences,
} from './features/proxies/remote-objects.js'
import type { Service, ServiceOptions } from './features/proxies/service.js'

/** What calls of a gateway, or of a view of it, are made with. */
interface Scope extends RemoteDoors {
  readonly gateway: Gateway
  readonly session: Session
  readonly templates: SentTemplates
  readonly defaults: CallOptions | undefined
}

/** What a view has of its own: what its defaults hold for. These use nothing of `this` but its scope. */
const scoped: ReadonlySet<PropertyKey> = new Set<keyof Gateway>([
  ...(['with', 'call', 'get', 'eval', 'py', 'execute', 'remoteExec'] as const),
  ...(['modules', 'ref', 'new', 'service', 'put', 'readFile'] as const),
])

/** A running Python and the link to it. Made by `makeGateway` or a group. */
export class Gateway extends BaseGateway {
  readonly #session = new Session(this)
  readonly #objects = new RemoteObjects(this, this.#session)
  /** @internal */
  readonly scope: Scope = {
    gateway: this,
    session: this.#session,
    templates: new SentTemplates(this, this.#session),
    defaults: undefined,
    ...this.#objects.doors,
  }

  /**
   * A view of this gateway with defaults for what is done through it: calls, templates, modules, objects and all that is asked of them, services, tasks and
   * copies; not for waits on channels. What a call itself is given goes first, `timeout: Infinity` too; a signal is heard beside its own, and ends iterators that calls gave.
   *
   * The view has the id and the channels of the gateway; disposing of it ends nothing, `exit` and `terminate` end the gateway.
   *
   * @throws RangeError for a time that is none.
   * @example
   * ```ts
   * const patient = gateway.with({ timeout: 60_000 })
   * await patient.modules.math.sqrt(2) // 1.4142135623730951
   * ```
   */
  with(options: CallOptions): Gateway {
    const { scope } = this
    checkCallOptions(options)
    const defaults = withDefaults(options, scope.defaults) ?? {}
    return viewOf(scope.gateway, { ...scope, defaults, ...scope.gateway.#objects.with(defaults) }, scoped)
  }

  /**
   * Calls a function of the worker: of a module, which is imported, of what was executed there, or a builtin.
   *
   * @param path - Its dotted name, such as `os.path.join`.
   * @param options - May end it before its time: see `CallOptions`.
   * @returns What it returned, by value: awaited when it is awaitable, a `RemoteIterator` when it is an iterator or a generator.
   * @throws {@link RemoteError} when it raised, {@link DumpError} when an argument, or what it returned, cannot be sent,
   *   {@link GatewayClosedError} when the gateway ended; its `delivery` says whether the call may have been made.
   * @example
   * ```ts
   * await gateway.call('os.path.join', ['a', 'b']) // 'a/b'
   * ```
   */
  call<R = unknown>(
    path: string,
    args?: readonly unknown[] | null,
    kwargs?: Names | null,
    options?: CallOptions,
  ): Promise<R> {
    const { session, defaults } = this.scope
    return callFunction(session, path, args, kwargs, withDefaults(options, defaults)) as Promise<R> // here and below, the type is the caller's claim
  }

  /** The value of a dotted name, found as that of a function to call. */
  get<R = unknown>(path: string, options?: CallOptions): Promise<R>
  /** Copies a file or folder of the worker's machine to this one; see `getFiles`. */
  get(remotePath: string, localPath: string | URL, options?: CopyOptions): Promise<CopyReport>
  get(path: string, second?: string | URL | CallOptions, options?: CopyOptions): Promise<unknown> {
    const isCopy = typeof second === 'string' || isUrl(second)
    const { gateway, session, defaults } = this.scope
    if (isCopy) return getFiles(gateway, path, second, withDefaults(options, defaults))
    return getValue(session, path, withDefaults(second, defaults))
  }

  /**
   * Evaluates Python: an expression, or several statements, of which the last may be one. What they assign stays, in the `__main__` of the worker.
   *
   * @param text - Lines may be indented in common.
   * @param names - Values that are variables in it, and nowhere else.
   * @returns The value of the last expression, as that of a call; null without one.
   * @throws As `call`.
   * @example
   * ```ts
   * await gateway.eval('sorted(words)[0]', { words: ['b', 'a'] }) // 'a'
   * ```
   */
  eval<R = unknown>(text: string, names?: Names | null, options?: CallOptions): Promise<R> {
    const { session, defaults } = this.scope
    return evaluate(session, text, names, withDefaults(options, defaults)) as Promise<R>
  }

  /**
   * Evaluates Python that stands in the program: as `eval`, with the template's values as variables. They are never text, so nothing in them is code.
   *
   * The text is sent once, and tracebacks name the line here. Escapes are Python's.
   *
   * @example
   * ```ts
   * const words = ['b', 'a']
   * await gateway.py`sorted(${words})[0]` // 'a'
   * ```
   */
  py<R = unknown>(strings: TemplateStringsArray, ...values: unknown[]): Promise<R> {
    const { session, templates, defaults } = this.scope
    const tag = Gateway.prototype.py
    return evaluateTemplate(session, templates, [strings, ...values], tag, defaults) as Promise<R>
  }

  /**
   * Executes Python source in the `__main__` of the worker, where calls and evaluated text find what it defines.
   *
   * @throws As `call`; TypeError when it is no source.
   * @example
   * ```ts
   * await gateway.execute('def double(n): return 2 * n')
   * await gateway.call('double', [21]) // 42
   * ```
   */
  execute(source: Source, options?: ExecuteOptions): Promise<void> {
    return executeSource(this.scope.session, source, withDefaults(options, this.scope.defaults))
  }

  /** As the core's; with `options` it can be aborted: its channel ends with the reason, once the code has ended. */
  override remoteExec<R = unknown, S = unknown>(
    source: Source,
    kwargs: Readonly<Record<string, unknown>> = {},
    options?: CallOptions,
  ): BaseChannel<R, S, this> {
    refuseSignals(kwargs, 'the names', 'remoteExec')
    const { gateway, defaults } = this.scope
    return gateway.#exec<R, S>(source, kwargs, withDefaults(options, defaults)) as BaseChannel<R, S, this>
  }

  #exec<R, S>(
    source: Source,
    kwargs: Readonly<Record<string, unknown>>,
    options: CallOptions | undefined,
  ): BaseChannel<R, S, Gateway> {
    const names = this.#objects.scopeOf(source, kwargs)
    if (canBeAborted(options)) return execAbortably(this, this.#session, source, names, options)
    return this.#objects.task(() => super.remoteExec<R, S>(source, names))
  }

  /**
   * The modules of the worker, each a property: `gateway.modules.os.getcwd()` calls that function there. Modules are imported when they are used.
   *
   * What is written leaves at once, and a chain of operations is one round trip. Awaiting an expression gives its value; `ref()` a reference.
   *
   * @example
   * ```ts
   * await gateway.modules.os.path.join('a', 'b') // 'a/b'
   * ```
   */
  get modules(): Modules {
    return this.scope.modules
  }

  /** Objects by reference, where `call`, `get` and `eval` give their values; see `RemoteObject`. */
  get ref(): RemoteReferences {
    return this.scope.ref
  }

  /**
   * Makes an object that stays on the worker.
   *
   * @param path - The dotted name of its class.
   * @returns A reference to it: it can be used at once, and awaited until the object is there.
   * @throws {@link RemoteError} when it could not be made: to whoever awaits it, or what is done with it.
   * @example
   * ```ts
   * await using counter = await gateway.new('collections.Counter', ['abracadabra'])
   * await counter.$item('a') // 5
   * ```
   */
  new<T = unknown>(path: string, args?: readonly unknown[], kwargs?: Names): Pending<T> {
    return this.scope.new(path, args, kwargs)
  }

  /**
   * Makes functions of this side callable on the worker, from any of its threads: `controller.NAME(…)`. Nothing else can be reached.
   *
   * Executed and evaluated text finds `controller` by its name, other code with `from tendril import controller`. Keyword arguments come as a last object.
   * What a function throws is raised there, as a `ControllerError`.
   *
   * @returns Takes the functions back when it is disposed of.
   * @example
   * ```ts
   * gateway.expose({ lookup: async (id: number) => `user ${id}` })
   * await gateway.eval('controller.lookup(7).upper()') // 'USER 7'
   * ```
   */
  expose(functions: Exposed): Disposable {
    return this.#objects.expose(functions)
  }

  /**
   * Runs a source as a module of its own, of which only some functions can be called, here or there; its state stays until it is disposed of.
   *
   * @param source - The path of a file, or another source: text as `{ text }`.
   * @throws {@link RemoteError} when it raised, or does not define one of the functions.
   * @example
   * ```ts
   * const text = 'total = 0\ndef add(n):\n    global total\n    total += n\n    return total'
   * await using sums = await gateway.service<{ add(n: number): number }>({ text }, { expose: ['add'] })
   * await sums.add(2)
   * await sums.add(40) // 42
   * ```
   */
  service<T = Record<string, (...args: unknown[]) => unknown>>(
    source: Source,
    options: ServiceOptions<T>,
  ): Promise<Service<T>> {
    return this.scope.service(source, options)
  }

  /** What is held here and there: references, callbacks, calls; `givenUp` are those that were timed out or aborted, and still run. */
  async stats(): Promise<GatewayStats & { readonly givenUp: readonly GivenUpCall[] }> {
    const stats = await this.#objects.stats()
    return { ...stats, givenUp: await this.#session.listGivenUp() }
  }

  /** Where every thread of the worker is now, whatever it is busy with while Python runs; see `RemoteThread`. */
  stacks(options: WaitOptions = {}): Promise<RemoteThread[]> {
    return stacksOf(this, this.#session, options)
  }

  /** The exception that ended a call or an exec last, with the variables of its frames; undefined when none has. Only the last one is kept. */
  postMortem(options: WaitOptions = {}): Promise<PostMortem | undefined> {
    return postMortemOf(this, this.#session, options)
  }

  /**
   * Has `callback` called with what the worker logs from now on, and with its warnings; one after the other, a promise that it
   * returns is awaited. Logging there never waits: beyond a thousand records that nobody has taken, records are dropped and counted.
   */
  onLog(callback: (record: LogRecord) => void | Promise<void>, options: LogOptions = {}): Promise<LogSubscription> {
    return followLog(this, this.#session, callback, options)
  }

  /** @internal Has a function of a Python file of ours called, whatever the worker is busy with; see `runAside`. */
  aside<R = unknown>(
    beside: string,
    name: readonly [module: string, name: string],
    ...args: readonly unknown[]
  ): BaseChannel<R, unknown, BaseGateway> {
    return runAside<R>(this, this.#session, beside, name, ...args)
  }

  /** Copies a file or folder of this machine, or bytes, to the worker's; see `putFiles`. */
  put(source: PutSource, remotePath: string, options?: PutOptions): Promise<CopyReport> {
    return putFiles(this.scope.gateway, source, remotePath, withDefaults(options, this.scope.defaults))
  }

  /** Forwards connections to an address on one side to an address on the other; see `forward`. */
  forward(options: ForwardOptions): Promise<Forward> {
    return forward(this, options)
  }

  /** The bytes of a file of the worker's machine, as they come; see `readRemoteFile`. */
  readFile(remotePath: string, options?: WaitOptions): AsyncGenerator<Uint8Array, void, undefined> {
    return readRemoteFile(this.scope.gateway, remotePath, withDefaults(options, this.scope.defaults))
  }

  /**
   * Makes modules of this side importable on the worker. Waits for nothing: what is executed after it finds them.
   *
   * Called again, with `{}` too, it looks at all files again: what has changed is imported anew.
   *
   * @throws {@link ProvideError} for a root, a package or a wheel that cannot be provided; nothing has changed then.
   * @example
   * ```ts
   * gateway.provide({ roots: ['examples/pylib'] })
   * await gateway.remoteExec('import greetings; channel.send(greetings.greet("you"))').receive() // 'hello you'
   * ```
   */
  provide(options: ProvideOptions): void {
    provide(this, options)
  }

  /** @internal What stands for objects of the worker, and for functions, where they may be sent. */
  protected override referenceTo(object: object): Reference | undefined {
    return this.#objects.markOf(object)
  }

  /** @internal */
  protected override referred(kind: string, id: number): unknown {
    return this.#objects.marked(kind, id)
  }
}

/** One end of a conversation with remote code. */
export type Channel<R = unknown, S = unknown> = BaseChannel<R, S, Gateway>
export const Channel: typeof BaseChannel = BaseChannel

/** Channels treated as one. */
export type MultiChannel<R = unknown, S = unknown> = BaseMultiChannel<R, S, Gateway>
export const MultiChannel: typeof BaseMultiChannel = BaseMultiChannel

/** The items of many channels as they arrive. */
export type ReceiveQueue<R = unknown, S = unknown> = BaseReceiveQueue<R, S, Gateway>
export const ReceiveQueue: typeof BaseReceiveQueue = BaseReceiveQueue
