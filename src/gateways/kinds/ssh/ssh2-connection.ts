/** A connection that ssh2 keeps: opens sessions, reaches hosts behind its own, and knows why it ended. */
import type { Client, ClientChannel } from 'ssh2'
import { monotonicMs, Timer } from '../../../timer.js'
import type { Connecting } from '../../../transports/connecting.js'
import type { Transport } from '../../../transports/transport.js'
import { SessionRefused, type SshConnection } from './connection.js'
import type { Hop, JumpHost } from './hops.js'
import type { ResolvedHost } from './host.js'
import { openSessionChannel } from './ssh2-channel.js'
import { Keepalive } from './ssh2-keepalive.js'
import { type SessionOwner, Ssh2Session } from './ssh2-session.js'
import { unreachable } from './unreachable.js'

// A host that has said nothing at all for so long after it was asked for a session is not there, whatever TCP believes.
const SILENCE_MS = 10_000
// What a host that is there takes to close its side; one that is not would keep the socket for as long as TCP tries.
const CLOSE_MS = 2000

/** Made before its client connects, so that it hears of all that happens to that. */
export class Ssh2Connection implements SshConnection, JumpHost, SessionOwner {
  readonly address: string
  readonly closed: Promise<Error | undefined>
  readonly #client: Client
  readonly #host: ResolvedHost
  readonly #hop: Hop
  readonly #wanting = new Set<object>()
  #heardAt = 0
  #fault: Error | undefined

  constructor(client: Client, host: ResolvedHost, hop: Hop) {
    this.#client = client
    this.#host = host
    this.#hop = hop
    this.address = `${host.user}@${host.hostname}${host.port === 22 ? '' : ` port ${host.port}`}`
    // For good: an error that nobody listens to ends the process.
    client.on('error', (error) => {
      if (!isFatal(error)) return
      this.#fault ??= describe(error, this.address)
      this.#abandonSoon()
    })
    hop.stream.on('error', () => undefined)
    client.once('ready', () => this.#watch())
    // A channel of a jump host does not close by itself when its far end has.
    client.once('end', () => hop.close())
    this.closed = new Promise((resolve) => {
      client.once('close', () => {
        const lastWords = hop.lastWords()
        this.#fault ??= new Error(`${this.address} closed the connection${lastWords === '' ? '' : `: ${lastWords}`}`)
        hop.close()
        resolve(this.#fault)
      })
    })
  }

  /** Why the connection ended, if it has. */
  get fault(): Error | undefined {
    return this.#fault
  }

  async openSession(command: string, connecting: Connecting, onOpen?: () => void): Promise<Transport> {
    if (this.#fault !== undefined) await this.closed.then((fault) => Promise.reject(fault))
    const token = {}
    this.keepAliveFor(token, true)
    try {
      let session: Ssh2Session | undefined
      const { forwardAgent, environment } = this.#host
      const onRefusal = (): void => session?.refuse()
      const channel = await this.#opened(
        openSessionChannel(this.#client, {
          command,
          forwardsAgent: forwardAgent !== undefined,
          environment,
          onRefusal,
        }),
        connecting.signal,
      )
      session = new Ssh2Session(channel, this)
      onOpen?.()
      return session
    } finally {
      this.keepAliveFor(token, false)
    }
  }

  forward(hostname: string, port: number): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, hostname, port, (error, channel) => {
        if (error === undefined) return resolve(channel)
        const why = this.#fault?.message ?? error.message
        const message = `${this.address} cannot reach ${hostname} port ${port} for us (${why}). Check ProxyJump, and AllowTcpForwarding on ${this.#host.hostname}`
        reject(unreachable('connect', message))
      })
    })
  }

  keepAlive(isWanted: boolean): void {
    this.keepAliveFor(this, isWanted)
  }

  keepAliveFor(session: object, isWanted: boolean): void {
    if (isWanted) this.#wanting.add(session)
    else this.#wanting.delete(session)
    this.#hop.keepAlive(this.#wanting.size > 0)
  }

  abandon(): void {
    this.#client.destroy()
    this.#hop.close()
  }

  async close(): Promise<void> {
    this.#client.end()
    this.#hop.keepAlive(false)
    this.#abandonSoon()
    await this.closed
  }

  #abandonSoon(): void {
    const timer = new Timer(CLOSE_MS, () => this.abandon()).unref()
    void this.closed.then(() => timer.stop())
  }

  #watch(): void {
    const keepalive = new Keepalive(this.#client, this.#host, () => {
      this.#fault ??= new Error(`${this.address} has not answered for too long (keepalive)`)
      this.abandon()
    })
    this.#hop.stream.on('data', () => {
      this.#heardAt = monotonicMs()
      keepalive.hear()
    })
    void this.closed.then(() => keepalive.stop())
  }

  #opened(opening: Promise<ClientChannel>, signal: AbortSignal): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined
      const settle = (): void => {
        timer?.stop()
        signal.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        settle()
        reject(signal.reason)
      }
      const listen = (since: number): void => {
        timer = new Timer(SILENCE_MS, () => {
          if (this.#heardAt > since) return listen(monotonicMs())
          this.#fault ??= new Error(`${this.address} has not said a word for ${SILENCE_MS / 1000} s`)
          this.abandon()
          void this.closed.then(reject)
        })
      }
      listen(monotonicMs())
      signal.addEventListener('abort', onAbort)
      opening.then(
        (channel) => {
          settle()
          if (signal.aborted) channel.close()
          resolve(channel)
        },
        (error: Error) => {
          settle()
          reject(error instanceof SessionRefused || this.#fault === undefined ? error : this.#fault)
        },
      )
    })
  }
}

interface ClientError extends Error {
  readonly level?: string
  readonly code?: string
}

/**
 * Whether it is why the connection ends. A key that cannot sign, or an agent that will not, is not: the login goes on to what is
 * next. Nor is that a stream was destroyed before its end: who did that knows why.
 */
function isFatal({ level, message, name }: ClientError): boolean {
  if (level === 'agent' || name === 'AbortError') return false
  return level !== 'client-authentication' || triedAll.test(message)
}

/** What ssh2 says when all has been tried. */
export const triedAll: RegExp = /All configured authentication methods failed/

function describe(error: ClientError, address: string): Error {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    return new Error(`${address} cut the connection (${error.code})`, { cause: error })
  return error
}
