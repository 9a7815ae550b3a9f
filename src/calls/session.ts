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
session.install(requests, control)
from _tendril import targets`

/** A reply: the request's number, what it came to, and the failure that it came to instead. */
type Reply = readonly [number: number, value: unknown, failure?: unknown]

/** The channels of a session that is open. */
interface Link {
  readonly requests: Channel<Reply>
  readonly control: Channel
  readonly installing: Channel
}

/** One gateway's. */
export class Session {
  readonly #gateway: Gateway
  readonly #pending = new Map<number, (reply: Reply | undefined) => void>()
  #link: Link | undefined
  #sent = 0
  #release: (() => void) | undefined

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
    if (reply === undefined) {
      await link.installing.waitClose()
      throw new EndOfChannelError('the session was closed by the worker')
    }
    if (reply.length === 3) throw new RemoteError(remoteFailureFrom(reply[2], this.#gateway.id))
    return reply[1]
  }

  #send({ requests }: Link, request: readonly unknown[]): Promise<Reply | undefined> {
    const taken = requests.sendNow(request)
    const number = ++this.#sent
    this.#release ??= requests.hold()
    return new Promise((resolve) => {
      this.#pending.set(number, resolve)
      if (taken !== true) taken.catch(() => this.#settle(number, undefined))
    })
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
    const control = this.#gateway.newChannel()
    const installing = this.#gateway.remoteExec(INSTALL, { requests, control })
    installing.waitClose().catch(() => this.#settleAll())
    requests.listen({
      onItem: () => {
        const [reply] = requests.takeNow() ?? []
        if (reply !== undefined) this.#settle(reply[0], reply)
      },
      onEnd: () => this.#settleAll(),
    })
    return { requests, control, installing }
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
