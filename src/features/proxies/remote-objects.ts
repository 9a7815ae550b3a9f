/** What one gateway has of remote objects, and of the way back: where its parts meet. Twins: references.py, controller.py. */
import type { AsyncResource } from 'node:async_hooks'
import { type BaseGateway, equip, type Reference as Mark, messages, type Source, XSpecError } from '../../core.js'
import type { CallOptions } from '../calls/call-options.js'
import { refuseOptions, refuseSignals } from '../calls/calls.js'
import { collect } from '../calls/collect.js'
import { answerWithin, contextFor, keepContextFor, openQuestionOf } from '../calls/questions.js'
import type { Session } from '../calls/session.js'
import { Callbacks, type Exposed } from './callbacks.js'
import { proxyOf } from './expression.js'
import { ControllerName, Passing } from './passing.js'
import type { World } from './place.js'
import { type Reference, References } from './reference.js'
import type { Pending, Remote } from './remote.js'
import { type Service, type ServiceOptions, startService } from './service.js'
import { Steps } from './steps.js'

// Of what was asked for, in the error of what was aborted.
const MAX_TITLE = 60

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

/** How objects are reached, with or without defaults for what is asked of them. */
export interface RemoteDoors {
  readonly modules: Remote
  readonly new: RemoteReferences['call']
  readonly ref: RemoteReferences
  service<T>(source: Source, options: ServiceOptions<T>): Promise<Service<T>>
}

/** What code there imports the controller from. */
const tendril = {
  file: '<tendril>/tendril.py',
  source: 'from _tendril.controller import ControllerError, controller\n',
  package: false,
}

// For how long a program that has come to its end waits to hear what has failed.
const LAST_WORDS_MS = 1000

/** Those whose worker may hold failures that nobody has asked for. */
const live = new Set<RemoteObjects>()
process.on('beforeExit', () => {
  for (const objects of live) objects.endProgram()
})

/** One gateway's. */
export class RemoteObjects {
  readonly doors: RemoteDoors
  readonly #gateway: BaseGateway
  readonly #session: Session
  readonly #references: References
  readonly #steps: Steps
  readonly #callbacks: Callbacks
  readonly #passing: Passing
  #isReady = false

  constructor(gateway: BaseGateway, session: Session) {
    this.#gateway = gateway
    this.#session = session
    this.#references = new References({ name: gateway.id, release: (ids) => this.#tell(['references.release', ids]) })
    this.#steps = new Steps(
      this.#references,
      (...chain) => this.#send(...chain),
      () => openQuestionOf(session),
    )
    this.#callbacks = new Callbacks((number, answer) => session.answer(number, answer))
    this.#passing = new Passing({
      references: this.#references,
      steps: this.#steps,
      callbacks: this.#callbacks,
      prepare: () => this.#prepare(),
      lend: (loan, id, onDone) => this.#tell(['references.lend', loan, id], onDone),
    })
    this.doors = this.#doorsTo({ steps: this.#steps, proxyOf }, undefined)
    session.watch(this.#passing)
    session.onQuestion(
      ([number, target, args, kwargs, asker], onAnswered) =>
        answerWithin(session, -number, this.#contextOf(asker), (close) => {
          const stopWatching = session.watchQuestion(-number)
          const onAnswer = (): void => {
            stopWatching()
            close()
          }
          void this.#callbacks.onAsked([-number, target, args, kwargs], onAnswer).finally(onAnswered)
        }),
      () => this.#callbacks.canBeAsked,
    )
    session.on('dropped', (number, times) => this.#callbacks.drop(number, times))
  }

  /** Makes functions of this side callable there. @returns Takes them back. */
  expose(functions: Exposed): Disposable {
    this.#prepare() // ahead of what it exposes: the session's own task needs no controller
    return { [Symbol.dispose]: this.#callbacks.expose(functions) }
  }

  /** What was asked for is performed first, and what of it has failed is printed. */
  endProgram(): void {
    live.delete(this)
    if (this.#references.size === 0) return
    this.#session.requestAt(undefined, { timeout: LAST_WORDS_MS }, '', 'references.complain').catch(() => undefined)
  }

  /** The same objects; what is asked of them, and of what comes of that, may end before its time. */
  with(options: CallOptions): RemoteDoors {
    return this.#doorsTo({ steps: this.#steps.with(options), proxyOf }, options)
  }

  async stats(): Promise<GatewayStats> {
    const counts = { ...this.#callbacks.counts, references: this.#references.size, calls: this.#session.size }
    this.#prepare()
    const channel = this.#gateway.ownChannel()
    this.#session.command('aside', channel, 'references', 'stats')
    this.#session.carry(channel)
    const [sent] = await collect(channel, {})
    const [remoteReferences, remoteCallbacks, remoteCallsBack, runningCalls] = messages.read(messages.counts, sent)
    return { ...counts, remoteReferences, remoteCallbacks, remoteCallsBack, runningCalls }
  }

  /** Has a task encoded, whose arguments may be objects of the worker and functions. */
  task<T extends object>(encode: () => T): T {
    const channel = this.#passing.task(encode)
    keepContextFor(channel)
    return channel
  }

  /** Where the request was made, or the task, or the asynchronous iterator, amid which something is asked. */
  #contextOf(asker: unknown): AsyncResource | undefined {
    if (typeof asker === 'number') return this.#session.contextOf(asker)
    return typeof asker === 'object' && asker !== null ? contextFor(asker) : undefined
  }

  /** The names in scope of a task: `controller` is one, once something is exposed. */
  scopeOf(source: Source, kwargs: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const isFunction =
      typeof source === 'object' && source !== null && 'function' in source && source.function !== undefined
    return isFunction || !this.#callbacks.hasExposed ? kwargs : { controller: new ControllerName(), ...kwargs }
  }

  markOf(object: object): Mark | undefined {
    return this.#passing.markOf(object)
  }

  marked(kind: string, id: number): unknown {
    return kind === 'Callback' ? this.#callbacks.passed(id) : undefined
  }

  #checkThreads(about: { readonly threads?: number } | undefined): void {
    if (this.#gateway.spec.execmodel !== 'main_thread_only' || (about?.threads ?? 1) === 1) return
    throw new XSpecError('"execmodel=main_thread_only" is one thread for everything: leave "threads" out')
  }

  #doorsTo(world: World, options: CallOptions | undefined): RemoteDoors {
    const pending = <T>(operation: string, operands: readonly unknown[]): Pending<T> =>
      proxyOf({ world, base: world.steps.add(null, [], operation, operands), names: [], gives: 'reference' })
    const called =
      (method: string): RemoteReferences['call'] =>
      (path, args = [], kwargs = {}) => {
        refuseSignals(kwargs, `the keyword arguments of ${path}`, method)
        return pending('call', [path, args, kwargs])
      }
    return {
      modules: proxyOf({ world, base: undefined, names: [], gives: 'itself' }),
      new: called('new'),
      ref: {
        call: called('ref.call'),
        get: (path) => pending('get', [path]),
        eval: (text, names = {}) => {
          refuseOptions(names, text, 'ref.eval')
          return pending('eval', [text, names])
        },
      },
      service: async (source, about) => {
        this.#checkThreads(about)
        return startService((where, ...request) => this.#ask(where, options, ...request), source, about)
      },
    }
  }

  #send(chain: readonly unknown[], pinned: readonly Reference[], options: CallOptions | undefined): Promise<unknown> {
    this.#prepare()
    this.#passing.need(pinned)
    return this.#session.requestNow(options, () => titleOfChain(chain), 'references.chain', ...chain)
  }

  #ask(
    where: number | undefined,
    options: CallOptions | undefined,
    subject: unknown,
    ...request: readonly unknown[]
  ): Promise<unknown> {
    this.#prepare()
    return this.#session.requestAt(openQuestionOf(this.#session) ?? where, options, subject, ...request)
  }

  /** Says what nobody waits for, and what does not keep the process alive. */
  #tell(request: readonly unknown[], onDone: () => void = () => undefined): void {
    try {
      this.#session.send(request, onDone, { isQuiet: true })
    } catch {
      onDone() // the gateway has ended, and all that was there
    }
  }

  #prepare(): void {
    if (this.#isReady) return
    // First: what opens the session is executed with a controller in scope.
    this.#gateway.push({ tendril })
    equip(this.#gateway, import.meta.url, ['references', 'loans', 'controller', 'service'])
    this.#session.open()
    this.#isReady = true
    live.add(this)
    void this.#gateway.closed.then(() => live.delete(this))
  }
}

/** What was written, as far as it is names: `os.path.join`. */
function titleOfChain([, , , start, ...steps]: readonly unknown[]): string {
  const [, operands] = steps
  const first =
    typeof start === 'string' ? start : start === null && Array.isArray(operands) ? operands[0] : 'an object'
  const names = steps.filter((_, index) => index % 2 === 0).map((step) => (Array.isArray(step) ? step.slice(1) : step))
  const words = [first, ...names.flat()].map(String).filter((word) => word !== '')
  return words.join('.').slice(0, MAX_TITLE)
}
