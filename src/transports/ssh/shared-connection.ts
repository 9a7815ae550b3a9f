/** The one connection to a host that all its gateways use: made when the first needs it, closed a while after the last has gone. */
import type { Connecting } from '../connecting.js'
import { Turnstile } from '../turnstile.js'
import type { SshConnection, SshEngine } from './connection.js'
import type { ResolvedHost } from './host.js'
import { JoinedConnecting } from './joined-connecting.js'

// A login costs two processors a fifth of a second each; sshd itself begins to refuse at ten that have not ended (MaxStartups).
const LOGINS_AT_ONCE = 8
const logins = new Turnstile(LOGINS_AT_ONCE)

const IDLE_MS = 60_000

/** A share in a connection. */
export interface Lease {
  readonly connection: SshConnection
  /** Idempotent. */
  release(): void
}

/** One host's, by one engine. */
export class SharedConnection {
  readonly #host: ResolvedHost
  readonly #engine: SshEngine
  #attempt: { readonly way: JoinedConnecting; readonly connection: Promise<SshConnection> } | undefined
  #connection: SshConnection | undefined
  #leases = 0
  #idle: NodeJS.Timeout | undefined

  constructor(host: ResolvedHost, engine: SshEngine) {
    this.#host = host
    this.#engine = engine
  }

  /**
   * The connection, which stays until the lease is released, or breaks.
   *
   * @throws {@link ConnectFault} when it cannot be made; whoever waited for the same attempt gets the same.
   */
  async lease(connecting: Connecting): Promise<Lease> {
    clearTimeout(this.#idle)
    this.#leases++
    let isHeld = true
    const release = (): void => {
      if (!isHeld) return
      isHeld = false
      if (--this.#leases === 0) this.#closeWhenIdle()
    }
    try {
      return { connection: this.#connection ?? (await this.#join(connecting)), release }
    } catch (error) {
      release()
      throw error
    }
  }

  async #join(connecting: Connecting): Promise<SshConnection> {
    if (this.#attempt === undefined || this.#attempt.way.signal.aborted) {
      const way = new JoinedConnecting()
      const leave = way.join(connecting)
      const attempt = { way, connection: this.connectOnceMore(way) }
      this.#attempt = attempt
      const forget = (): void => {
        way.arrive()
        leave()
        if (this.#attempt === attempt) this.#attempt = undefined
      }
      attempt.connection
        .then(
          (connection) => (way.signal.aborted ? connection.close() : this.#adopt(connection)),
          () => undefined,
        )
        .finally(forget)
      return unlessAborted(attempt.connection, connecting.signal)
    }
    const leave = this.#attempt.way.join(connecting)
    return unlessAborted(this.#attempt.connection, connecting.signal).finally(leave)
  }

  /** A connection of the caller's own to the same host. */
  async connectOnceMore(connecting: Connecting): Promise<SshConnection> {
    const resume = connecting.pause()
    let leave: (() => void) | undefined
    try {
      leave = await logins.enter(connecting.signal)
      resume()
      return await this.#engine.connect(this.#host, connecting)
    } finally {
      resume()
      leave?.()
    }
  }

  #adopt(connection: SshConnection): void {
    this.#connection = connection
    void connection.closed.then(() => {
      if (this.#connection === connection) this.#connection = undefined
    })
    if (this.#leases === 0) this.#closeWhenIdle()
  }

  #closeWhenIdle(): void {
    this.#idle = setTimeout(() => void this.#connection?.close(), IDLE_MS)
    this.#idle.unref()
  }
}

function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
