/**
 * The calls of one gateway (PROTOCOL.md §11): requests that are numbered by their order, and their replies. It is opened with the
 * first request, in the same write. Twin: session.py.
 */
import { readFileSync } from 'node:fs'
import { type Channel, EndOfChannelError, type Gateway, RemoteError, remoteFailureFrom } from '../core.js'

/** What the worker needs for it, in the order of their imports. */
const modules = ['scheduling', 'session', 'targets']
const INSTALL = `
from _tendril import session
session.install(requests, control, answers)
from _tendril import targets`

/** A reply: the request's number, what it came to, and the failure that it came to instead. A negative number asks something of us. */
type Reply = readonly [number: number, value: unknown, failure?: unknown]

/** Who is told of requests: whatever keeps what they refer to. */
export interface RequestWatcher {
  /** A request is about to be encoded. */
  begin(): void
  /** It has been, or could not be; what this returns is called when it was answered. */
  end(): (() => void) | undefined
}

/** The channels of a session that is open. */
interface Link {
  readonly requests: Channel<Reply>
  readonly control: Channel<readonly unknown[]>
  readonly answers: Channel
  readonly installing: Channel
}

/** One gateway's. */
export class Session {
  readonly #gateway: Gateway
  readonly #pending = new Map<number, (reply: Reply | undefined) => void>()
  #link: Link | undefined
  #sent = 0
  #release: (() => void) | undefined
  #watcher: RequestWatcher | undefined
  readonly #listeners = new Map<string, (...args: readonly unknown[]) => void>()

  constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  /**
   * Has an operation performed.
   *
   * @returns What it came to.
   * @throws {@link RemoteError} when it raised; {@link DumpError} when an argument cannot be sent: nothing is, then.
   * @throws {@link GatewayClosedError} when the gateway ended before it answered.
   */
  async request(operation: string, ...args: readonly unknown[]): Promise<unknown> {
    const link = this.#open()
    const reply = await this.#send(link, [operation, ...args])
    return reply === undefined ? this.#explainEnd(link) : this.#valueOf(reply)
  }

  /** As {@link Session.request}, but what cannot be sent is thrown at once. */
  requestNow(operation: string, ...args: readonly unknown[]): Promise<unknown> {
    const link = this.#open()
    const sent = this.#send(link, [operation, ...args])
    return (async () => {
      const reply = await sent
      return reply === undefined ? this.#explainEnd(link) : this.#valueOf(reply)
    })()
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

  #valueOf(reply: Reply): unknown {
    if (reply.length === 3) throw new RemoteError(remoteFailureFrom(reply[2], this.#gateway.id))
    return reply[1]
  }

  async #explainEnd({ installing }: Link): Promise<never> {
    await installing.waitClose()
    throw new EndOfChannelError('the session was closed by the worker')
  }

  #send({ requests }: Link, request: readonly unknown[]): Promise<Reply | undefined> {
    this.#watcher?.begin()
    const taken = this.#encode(requests, request)
    const onAnswered = this.#watcher?.end()
    const number = ++this.#sent
    this.#release ??= requests.hold()
    return new Promise((resolve) => {
      this.#pending.set(number, onAnswered === undefined ? resolve : (reply) => {
        onAnswered()
        resolve(reply)
      })
      if (taken !== true) taken.catch(() => this.#settle(number, undefined))
    })
  }

  #encode(requests: Link['requests'], request: readonly unknown[]): ReturnType<Link['requests']['sendNow']> {
    try {
      return requests.sendNow(request)
    } catch (error) {
      this.#watcher?.end()?.()
      throw error
    }
  }

  #settle(number: number, reply: Reply | undefined): void {
    this.#pending.get(number)?.(reply)
    this.#pending.delete(number)
    if (this.#pending.size > 0) return
    this.#release?.()
    this.#release = undefined
  }

  #open(): Link {
    this.#link ??= this.#openChannels()
    return this.#link
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
    for (const number of [...this.#pending.keys()]) this.#settle(number, undefined)
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
