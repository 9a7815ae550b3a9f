/** The one connection to a host that all its gateways use: made when the first needs it, closed a while after the last has gone. */
import { Timer } from '../../../timer.js'
import type { Connecting } from '../../../transports/connecting.js'
import { JoinedConnecting } from '../../../transports/joined-connecting.js'
import { Turnstile } from '../../../transports/turnstile.js'
import { unlessAborted } from '../../../transports/unless-aborted.js'
import type { SshConnection, SshEngine } from './connection.js'
import type { ResolvedHost } from './host.js'

// A login costs two processors a fifth of a second each; sshd itself begins to refuse at ten that have not ended (MaxStartups).
const LOGINS_AT_ONCE = 8
const logins = new Turnstile(LOGINS_AT_ONCE)

const IDLE_MS = 60_000
// Of all hosts together: whoever visits hundreds in turn does not want them all kept.
const MAX_IDLE = 16
/** Those that have nobody, the longest idle first. */
const idling = new Set<SharedConnection>()

/** A share in a connection. */
export interface Lease {
  readonly connection: SshConnection
  /** Whether the connection was there before, and has broken since: a new one may do what it did not. */
  isStale(): boolean
  /** Idempotent. */
  release(): void
}

/** What becomes of a connection that nobody uses. */
export interface SharingOptions {
  /** How long it is kept. Default a minute. */
  readonly idleMs?: number
  /** Called when that has passed. */
  readonly onIdle?: () => void
}

/** One host's, by one engine. */
export class SharedConnection {
  readonly #host: ResolvedHost
  readonly #engine: SshEngine
  readonly #onIdle: (() => void) | undefined
  readonly #idleMs: number
  #attempt: { readonly way: JoinedConnecting; readonly connection: Promise<SshConnection> } | undefined
  #connection: SshConnection | undefined
  #leases = 0
  #idle: Timer | undefined

  constructor(host: ResolvedHost, engine: SshEngine, { idleMs = IDLE_MS, onIdle }: SharingOptions = {}) {
    this.#host = host
    this.#engine = engine
    this.#onIdle = onIdle
    this.#idleMs = idleMs
  }

  /**
   * The connection, which stays until the lease is released, or breaks.
   *
   * @throws ConnectFault when it cannot be made; whoever waited for the same attempt gets the same.
   */
  async lease(connecting: Connecting): Promise<Lease> {
    connecting.signal.throwIfAborted()
    this.#idle?.stop()
    idling.delete(this)
    this.#leases++
    let isHeld = true
    const release = (): void => {
      if (!isHeld) return
      isHeld = false
      if (--this.#leases === 0) this.#closeWhenIdle()
    }
    try {
      const old = this.#connection
      const connection = old ?? (await this.#join(connecting))
      return { connection, isStale: () => old !== undefined && this.#connection !== old, release }
    } catch (error) {
      release()
      throw error
    }
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

  async #join(connecting: Connecting): Promise<SshConnection> {
    const running = this.#attempt?.way.signal.aborted === false ? this.#attempt : undefined
    const way = running?.way ?? new JoinedConnecting()
    const leave = way.join(connecting)
    const connection = running?.connection ?? this.#connect(way)
    try {
      return await unlessAborted(connection, connecting.signal)
    } finally {
      leave()
    }
  }

  #connect(way: JoinedConnecting): Promise<SshConnection> {
    const settle = (): void => {
      way.arrive()
      if (this.#attempt?.way === way) this.#attempt = undefined
    }
    const connection = this.connectOnceMore(way).then(
      (made) => {
        settle()
        return this.#adopt(made, way.signal)
      },
      (error: unknown) => {
        settle()
        throw error
      },
    )
    this.#attempt = { way, connection }
    return connection
  }

  /** What came although everybody had given it up is nobody's. */
  #adopt(connection: SshConnection, { aborted, reason }: AbortSignal): SshConnection {
    if (aborted) {
      void connection.close()
      throw reason
    }
    this.#connection = connection
    void connection.closed.then(() => this.#drop(connection))
    return connection
  }

  /** Whoever comes from now on gets another. */
  #drop(connection: SshConnection): void {
    if (this.#connection === connection) this.#connection = undefined
  }

  #closeWhenIdle(): void {
    this.#idle?.stop()
    this.#idle = new Timer(this.#idleMs, () => this.#close()).unref()
    idling.add(this)
    const [first] = idling
    if (idling.size > MAX_IDLE && first !== undefined) first.#close()
  }

  #close(): void {
    this.#idle?.stop()
    idling.delete(this)
    this.#onIdle?.()
    const connection = this.#connection
    if (connection === undefined) return
    this.#drop(connection)
    void connection.close()
  }
}
