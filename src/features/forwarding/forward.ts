/** Port forwarding: who connects to an address on one side of a gateway reaches an address on the other. */
import { type BaseGateway, checkMs } from '../../core.js'
import { type ForwardAddress, placeText, readPlace } from './address.js'
import { Connections } from './connections.js'
import type { Listener } from './listener.js'
import { listenHere } from './local-listener.js'
import { listenThere } from './remote-listener.js'

const CONNECT_MS = 15_000

/** What to forward. One of `localListen` and `remoteListen` says on which side to listen. */
export interface ForwardOptions {
  /** Where to listen on this side; connections go on from the worker. A port alone is one of loopback, 0 any that is free. */
  readonly localListen?: ForwardAddress | undefined
  /** Where the worker listens; connections go on from here. */
  readonly remoteListen?: ForwardAddress | undefined
  /** Where connections go on to, as seen from the other side. A port alone is one of that machine itself. */
  readonly to: ForwardAddress
  /** Milliseconds for each connection to `to`; 15,000 when absent. */
  readonly timeout?: number | undefined
  /** Told of connections that could not be made, or broke, and of the end of the gateway; the first do not end the forward. */
  readonly onError?: ((error: Error) => void) | undefined
}

/**
 * Listens on one side of a gateway, and has every connection go on from the other, both ways and half-closed as they are.
 * As any server of Node's, it keeps this process alive until it is closed or told not to.
 *
 * @returns When it listens.
 * @throws {@link ForwardError} when it cannot listen there, {@link GatewayClosedError} when the gateway has ended.
 */
export async function forward(gateway: BaseGateway, options: ForwardOptions): Promise<Forward> {
  const { localListen, remoteListen, to, timeout = CONNECT_MS, onError } = options
  if ((localListen === undefined) === (remoteListen === undefined)) {
    throw new TypeError('a forward listens on one side: give localListen or remoteListen')
  }
  checkMs('timeout', timeout)
  if (timeout === 0) throw new RangeError('timeout must be more than 0 ms: nobody can be reached in no time')
  const connections = new Connections(onError)
  const early: Error[] = [] // what ended it before there was anybody to tell
  let end = (error: Error): void => void early.push(error)
  const task = {
    gateway,
    listen: readPlace(localListen ?? remoteListen ?? '', '127.0.0.1', 0),
    to: readPlace(to, 'localhost', 1),
    timeoutMs: timeout,
    connections,
    onEnd: (error: Error) => end(error),
  }
  let listener: Listener
  try {
    listener = await (remoteListen === undefined ? listenHere(task) : listenThere(task))
  } catch (error) {
    connections.close()
    throw error
  }
  const made = new Forward(listener, connections)
  for (const error of early) {
    await made.close()
    throw error
  }
  end = (error) => {
    connections.report(error)
    void made.close()
  }
  return made
}

/** A forward that listens. Disposing it closes it. */
export class Forward implements AsyncDisposable {
  /** Where it listens: `host:port`, or the path of a Unix socket. */
  readonly address: string
  /** Its port; 0 for a Unix socket. */
  readonly port: number
  /** Resolves when it has been closed, or the gateway has ended. Never rejects. */
  readonly closed: Promise<void>
  readonly #listener: Listener
  readonly #connections: Connections
  #onClosed: () => void = () => undefined
  #isClosed = false

  /** Made by `gateway.forward`. */
  constructor(listener: Listener, connections: Connections) {
    this.address = placeText(listener.place)
    this.port = listener.place.port ?? 0
    this.#listener = listener
    this.#connections = connections
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size
  }

  /** Stops listening, and ends all connections. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#connections.close()
      await this.#listener.close()
      this.#onClosed()
    }
    await this.closed
  }

  /** Has it keep this process alive no longer; its connections do as long as they last. */
  unref(): this {
    this.#listener.keepAlive(false)
    return this
  }

  /** Has it keep this process alive again. */
  ref(): this {
    if (!this.#isClosed) this.#listener.keepAlive(true)
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
