/** What one gateway has of remote objects, and of the way back: where its parts meet. Twins: references.py, controller.py. */
import { readFileSync } from 'node:fs'
import type { Session } from '../calls/session.js'
import type { Gateway, Reference as Mark, Source } from '../core.js'
import { Callbacks, type Exposed } from './callbacks.js'
import { proxyOf } from './expression.js'
import { ControllerName, Passing } from './passing.js'
import type { World } from './place.js'
import { type Reference, References } from './reference.js'
import type { Pending, Remote } from './remote.js'
import { type Service, type ServiceOptions, startService } from './service.js'
import { Steps } from './steps.js'

/** By reference what `gateway.call`, `get` and `eval` give by value. */
export interface RemoteReferences {
  /** What a function returns. */
  call<T = unknown>(path: string, args?: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>): Pending<T>
  /** What a dotted name stands for. */
  get<T = unknown>(path: string): Pending<T>
  /** What Python text gives. */
  eval<T = unknown>(text: string, names?: Readonly<Record<string, unknown>>): Pending<T>
}

/** What is held on both sides. */
export interface GatewayStats {
  /** Objects of the worker that are held here, and those that it keeps for us. */
  readonly references: number
  readonly remoteReferences: number
  /** Functions that are kept here for the worker, and those that it holds. */
  readonly callbacks: number
  readonly remoteCallbacks: number
  /** Requests that were not answered yet, but for this one, and those that the worker is performing. */
  readonly calls: number
  readonly runningCalls: number
  /** Calls of exposed functions and callbacks that are being answered, and those that the worker waits for. */
  readonly callsBack: number
  readonly remoteCallsBack: number
}

/** One gateway's. */
export class RemoteObjects {
  readonly modules: Remote
  readonly ref: RemoteReferences
  readonly #gateway: Gateway
  readonly #session: Session
  readonly #references: References
  readonly #steps: Steps
  readonly #callbacks: Callbacks
  readonly #passing: Passing
  readonly #world: World
  #isReady = false

  constructor(gateway: Gateway, session: Session) {
    this.#gateway = gateway
    this.#session = session
    this.#references = new References({ name: gateway.id, release: (ids) => this.#tell(['references.release', ids]) })
    this.#steps = new Steps(this.#references, (chain, pinned) => this.#send(chain, pinned))
    this.#callbacks = new Callbacks((number, answer) => session.answer(number, answer))
    this.#passing = new Passing({
      references: this.#references,
      steps: this.#steps,
      callbacks: this.#callbacks,
      prepare: () => this.#prepare(),
      lend: (loan, id, onDone) => this.#tell(['references.lend', loan, id], onDone),
    })
    this.#world = { steps: this.#steps, proxyOf }
    this.modules = proxyOf({ world: this.#world, base: undefined, names: [], gives: 'itself' })
    this.ref = {
      call: (path, args = [], kwargs = {}) => this.#pending('call', [path, args, kwargs]),
      get: (path) => this.#pending('get', [path]),
      eval: (text, names = {}) => this.#pending('eval', [text, names]),
    }
    session.watch(this.#passing)
    session.on(
      'ask',
      (number, target, args, kwargs) => void this.#callbacks.onAsked(-Number(number), target, args, kwargs),
    )
    session.on('dropped', (number, times) => this.#callbacks.drop(Number(number), Number(times)))
  }

  /** Makes functions of this side callable there. @returns Takes them back. */
  expose(functions: Exposed): Disposable {
    this.#prepare() // ahead of what it exposes: the session's own task needs no controller
    return { [Symbol.dispose]: this.#callbacks.expose(functions) }
  }

  service<T>(source: Source, options: ServiceOptions<T>): Promise<Service<T>> {
    return startService((operation, ...args) => this.#ask(operation, ...args), source, options)
  }

  async stats(): Promise<GatewayStats> {
    const counts = { ...this.#callbacks.counts, references: this.#references.size, calls: this.#session.size }
    const there = (await this.#ask('references.stats')) as readonly [number, number, number, number] // as references.py has it
    const [remoteReferences, remoteCallbacks, remoteCallsBack, runningCalls] = there
    return { ...counts, remoteReferences, remoteCallbacks, remoteCallsBack, runningCalls }
  }

  /** Has a task encoded, whose arguments may be objects of the worker and functions. */
  task<T>(encode: () => T): T {
    return this.#passing.task(encode)
  }

  /** The names in scope of a task: `controller` is one, once something is exposed. */
  scopeOf(source: Source, kwargs: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const isFunction = typeof source === 'object' && 'function' in source && source.function !== undefined
    return isFunction || !this.#callbacks.hasExposed ? kwargs : { controller: new ControllerName(), ...kwargs }
  }

  markOf(object: object): Mark | undefined {
    return this.#passing.markOf(object)
  }

  marked(kind: string, id: number): unknown {
    return kind === 'Callback' ? this.#callbacks.passed(id) : undefined
  }

  #pending<T>(operation: string, operands: readonly unknown[]): Pending<T> {
    const base = this.#steps.add(null, [], operation, operands)
    return proxyOf({ world: this.#world, base, names: [], gives: 'reference' })
  }

  #send(chain: readonly unknown[], pinned: readonly Reference[]): Promise<unknown> {
    this.#prepare()
    this.#passing.need(pinned)
    return this.#session.requestNow('references.chain', ...chain)
  }

  #ask(operation: string, ...args: readonly unknown[]): Promise<unknown> {
    this.#prepare()
    return this.#session.request(operation, ...args)
  }

  /** Says what nobody waits for, and what does not keep the process alive. */
  #tell(request: readonly unknown[], onDone: () => void = () => undefined): void {
    try {
      this.#session.send(request, onDone, true)
    } catch {
      onDone() // the gateway has ended, and all that was there
    }
  }

  #prepare(): void {
    if (this.#isReady) return
    this.#gateway.push(sources()) // first: what opens the session is executed with a controller in scope
    this.#session.open()
    this.#isReady = true
  }
}

let read: Parameters<Gateway['push']>[0] | undefined

/** What the worker needs for it. */
function sources(): Parameters<Gateway['push']>[0] {
  read ??= {
    tendril: {
      file: '<tendril>/tendril.py',
      source: 'from _tendril.controller import ControllerError, controller\n',
      package: false,
    },
    ...Object.fromEntries(
      ['references', 'controller', 'service'].map((name) => {
        const source = readFileSync(new URL(`./${name}.py`, import.meta.url), 'utf8')
        return [`_tendril.${name}`, { file: `<tendril>/${name}.py`, source, package: false }]
      }),
    ),
  }
  return read
}
