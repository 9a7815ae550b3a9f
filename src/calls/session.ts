/**
 * The calls of one gateway (PROTOCOL.md §12): requests that are numbered by their order, and their replies. It is opened with the
 * first request, in the same write. Twin: session.py.
 */
import { readFileSync } from 'node:fs'
import { type Channel, type Delivery, EndOfChannelError, type Gateway, GatewayClosedError } from '../core.js'
import { type CallOptions, canBeAborted, type Over, type Performer, type Reply, sendAbortable } from './aborting.js'
import { errorOfReply, errorOfRequest, withDelivery } from './call-errors.js'
import { RemoteIterator } from './remote-iterator.js'

/** What the worker needs for it, in the order of their imports. */
const modules = ['scheduling', 'session', 'targets', 'sources', 'iterators', 'coroutines', 'interrupting']
const INSTALL = `
from _tendril import session
session.install(requests, control, answers)
from _tendril import targets, sources, interrupting
session.session.open()`

// Of what a request is about, in the error of one that was aborted.
const MAX_TITLE = 60

/** Stands for the reply to a request that the worker cannot have read. */
const notSent: Reply = [0, null]

/** Who is told of requests: whatever keeps what they refer to. */
export interface RequestWatcher {
  /** A request is about to be encoded. */
  begin(): void
  /** It has been, and what this returns is called when it was answered; or it could not be. */
  end(wasSent: boolean): (() => void) | undefined
  /** The error of one that failed, with what is known of it here. */
  explain(error: Error): Error
}

/** The channels of a session that is open. */
interface Link {
  readonly requests: Channel<Reply>
  readonly control: Channel<readonly unknown[]>
  readonly answers: Channel
  readonly installing: Channel
}

/** One gateway's. */
export class Session implements Performer {
  readonly #gateway: Gateway
  readonly #pending = new Map<number, (reply: Reply | undefined) => void>()
  #link: Link | undefined
  #sent = 0
  #release: (() => void) | undefined
  #watcher: RequestWatcher | undefined
  readonly #listeners = new Map<string, (...args: readonly unknown[]) => void>()

  /** The numbers of requests that do not keep the process alive. */
  readonly #quiet = new Set<number>()
  readonly #obstacles = new Map<number, string>()

  constructor(gateway: Gateway) {
    this.#gateway = gateway
    this.on('dequeued', (number) => this.drop(Number(number)))
    this.on('interrupted', (number) => this.#settle(Number(number), [Number(number), null]))
    this.on('deaf', (number, why) => this.#obstacles.set(Number(number), String(why)))
  }

  /**
   * Has an operation performed.
   *
   * @returns What it came to.
   * @throws {@link RemoteError} when it raised; {@link DumpError} when an argument cannot be sent: nothing is, then.
   * @throws {@link GatewayClosedError} when the gateway ended before it answered.
   */
  request(...request: readonly [operation: string, ...args: readonly unknown[]]): Promise<unknown> {
    return this.#request(request)
  }

  /** As {@link Session.request}; what `options` say may end it before its time. */
  requestWith(
    options: CallOptions | undefined,
    ...request: readonly [operation: string, ...args: readonly unknown[]]
  ): Promise<unknown> {
    return canBeAborted(options) ? this.#requestAbortable(options, request) : this.#request(request)
  }

  async #request(request: readonly unknown[]): Promise<unknown> {
    const link = this.#open()
    const reply = await new Promise<Reply | undefined>((resolve) => {
      this.send(request, resolve)
    })
    return this.#outcome(link, reply)
  }

  async #requestAbortable(options: CallOptions, request: readonly unknown[]): Promise<unknown> {
    const link = this.#open()
    const title = `${request[0]}(${JSON.stringify(String(request[1]).slice(0, MAX_TITLE))})`
    const { reply, why } = await new Promise<Over>((resolve) => {
      sendAbortable({ gateway: this.#gateway, performer: this, title }, options, request, resolve)
    })
    if (why !== undefined) throw why()
    return this.#outcome(link, reply)
  }

  /** As {@link Session.request}, but what cannot be sent is thrown at once. */
  requestNow(operation: string, ...args: readonly unknown[]): Promise<unknown> {
    const link = this.#open()
    let settle: (reply: Reply | undefined) => void = () => undefined
    const sent = new Promise<Reply | undefined>((resolve) => {
      settle = resolve
    })
    this.send([operation, ...args], settle)
    return (async () => this.#outcome(link, await sent))()
  }

  /** Opens it ahead of the first request. */
  open(): void {
    this.#open()
  }

  /** How many requests were not answered yet. */
  get size(): number {
    return this.#pending.size
  }

  /** Has somebody told of all requests. */
  watch(watcher: RequestWatcher): void {
    this.#watcher = watcher
  }

  /** Has somebody called with what the worker says under a name; what it asks of us comes under `ask`. */
  on(name: string, listener: (...args: readonly unknown[]) => void): void {
    this.#listeners.set(name, listener)
  }

  /** Answers what the worker asked. @throws {@link DumpError} when the answer cannot be sent: another may be, then. */
  answer(number: number, answer: readonly unknown[]): void {
    const { answers } = this.#open()
    for (const item of [answer, number]) {
      const taken = answers.sendNow(item) // the worker reads the number only: the answer is for the thread that waits for it
      if (taken !== true) taken.catch(() => undefined)
    }
  }

  #outcome(link: Link, reply: Reply | undefined): unknown {
    if (reply === undefined || reply === notSent) {
      return this.#explainEnd(link, reply === undefined ? 'unknown' : 'not-sent')
    }
    if (reply.length === 3) {
      const error = errorOfReply(reply[2], this.#gateway.id)
      throw this.#watcher?.explain(error) ?? error
    }
    return reply.length === 4 ? new RemoteIterator(reply[1] as Channel) : reply[1] // as PROTOCOL.md has it
  }

  async #explainEnd({ installing, requests }: Link, delivery: Delivery): Promise<never> {
    for (const channel of [installing, requests]) {
      await channel.waitClose().catch((error: unknown) => {
        throw withDelivery(error, delivery)
      })
    }
    throw new EndOfChannelError('the session was closed by the worker')
  }

  /** Sends a request, and gives its number. One that is quiet does not keep the process alive. */
  send(request: readonly unknown[], onReply: (reply: Reply | undefined) => void, isQuiet = false): number {
    const { requests } = this.#open()
    this.#watcher?.begin()
    const taken = this.#encode(requests, request)
    const onAnswered = this.#watcher?.end(true)
    const number = ++this.#sent
    if (isQuiet) this.#quiet.add(number)
    else this.#release ??= requests.hold()
    this.#pending.set(
      number,
      onAnswered === undefined
        ? onReply
        : (reply) => {
            onAnswered()
            onReply(reply)
          },
    )
    if (taken !== true) taken.catch(() => this.drop(number))
    return number
  }

  /** Says what must not wait behind requests. */
  command(...command: readonly unknown[]): void {
    try {
      const taken = this.#open().control.sendNow(command)
      if (taken !== true) taken.catch(() => undefined)
    } catch (error) {
      if (!(error instanceof GatewayClosedError)) throw error // with whom the requests have ended
    }
  }

  /** Nobody waits for the reply to a request any more. */
  drop(number: number): void {
    this.#settle(number, undefined)
  }

  /** Why a request will not be interrupted, as far as the worker knows. */
  obstacleTo(number: number): string | undefined {
    return this.#obstacles.get(number)
  }

  #encode(requests: Link['requests'], request: readonly unknown[]): ReturnType<Link['requests']['sendNow']> {
    try {
      return requests.sendNow(request)
    } catch (error) {
      this.#watcher?.end(false)
      throw errorOfRequest(error, request)
    }
  }

  #settle(number: number, reply: Reply | undefined): void {
    this.#pending.get(number)?.(reply)
    this.#pending.delete(number)
    if (this.#quiet.size > 0) this.#quiet.delete(number)
    if (this.#obstacles.size > 0) this.#obstacles.delete(number)
    if (this.#pending.size > this.#quiet.size) return
    this.#release?.()
    this.#release = undefined
  }

  #open(): Link {
    try {
      this.#link ??= this.#openChannels()
      return this.#link
    } catch (error) {
      throw withDelivery(error, 'not-sent')
    }
  }

  #openChannels(): Link {
    this.#gateway.push(sources())
    const requests = this.#gateway.newChannel<Reply>()
    const control = this.#gateway.newChannel<readonly unknown[]>()
    const answers = this.#gateway.newChannel()
    const installing = this.#gateway.remoteExec(INSTALL, { requests, control, answers })
    installing.waitClose().catch(() => this.#settleAll())
    requests.listen({
      onItem: () => {
        const [reply] = requests.takeNow() ?? []
        if (reply === undefined) return
        if (reply[0] > 0) this.#settle(reply[0], reply)
        else this.#listeners.get('ask')?.(...reply)
      },
      onEnd: () => this.#settleAll(),
    })
    control.listen({
      onItem: () => {
        const [[name, ...args] = []] = control.takeNow() ?? []
        this.#listeners.get(String(name))?.(...args)
      },
      onEnd: () => undefined,
    })
    return { requests, control, answers, installing }
  }

  #settleAll(): void {
    const sent = this.#sent - (this.#link?.requests.unsent ?? 0)
    for (const number of [...this.#pending.keys()]) this.#settle(number, number > sent ? notSent : undefined)
  }
}

let read: Parameters<Gateway['push']>[0] | undefined

function sources(): Parameters<Gateway['push']>[0] {
  read ??= Object.fromEntries(
    modules.map((name) => [
      `_tendril.${name}`,
      {
        file: `<tendril>/${name}.py`,
        source: readFileSync(new URL(`./${name}.py`, import.meta.url), 'utf8'),
        package: false,
      },
    ]),
  )
  return read
}
