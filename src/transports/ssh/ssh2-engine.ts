/** SSH as npm's ssh2 speaks it, in this process: the engine for all that needs no certificates, hardware keys or Kerberos. */
import type { Client, ClientChannel } from 'ssh2'
import { HostNotFoundError } from '../../errors.js'
import { ConnectFault, type Connecting } from '../connecting.js'
import type { Transport } from '../transport.js'
import { SessionRefused, type SshConnection, type SshEngine } from './connection.js'
import { type Hop, type JumpHost, openHop } from './hops.js'
import type { ResolvedHost } from './host.js'
import { admitHostKey } from './host-key-policy.js'
import { hostKeyOf } from './known-hosts.js'
import { algorithmsFor } from './ssh2-algorithms.js'
import { Authentication } from './ssh2-authentication.js'
import { openSessionChannel } from './ssh2-channel.js'
import { Ssh2Session } from './ssh2-session.js'

const KEEPALIVE_MS = 15_000
const KEEPALIVE_COUNT = 3
const CHANNEL_OPEN_MS = 10_000
// Of what a port says that is not SSH's: enough to recognize it.
const QUOTED_BYTES = 80

export const ssh2Engine: SshEngine = {
  name: 'ssh2',
  connect: async (host, connecting) => {
    const hop = await openHop(host, connecting, connectJumpHost)
    return logIn(host, hop, connecting)
  },
}

async function connectJumpHost(host: ResolvedHost, hop: Hop, connecting: Connecting): Promise<JumpHost> {
  return logIn(host, hop, connecting)
}

/** @throws {@link ConnectFault}; then the hop has been closed. */
async function logIn(host: ResolvedHost, hop: Hop, connecting: Connecting): Promise<Ssh2Connection> {
  try {
    const { default: ssh2 } = await import('ssh2')
    connecting.signal.throwIfAborted()
    const login = new Login(new ssh2.Client(), host, hop, connecting)
    await login.run(await algorithmsFor(host))
    return login.connection
  } catch (error) {
    hop.close()
    throw error
  }
}

/** The way from a stream to a connection that has logged in. */
class Login {
  readonly connection: Ssh2Connection
  readonly #client: Client
  readonly #host: ResolvedHost
  readonly #hop: Hop
  readonly #connecting: Connecting
  readonly #authentication: Authentication
  #fault: Error | undefined
  #hasHandshaken = false
  #firstBytes = Buffer.alloc(0)

  constructor(client: Client, host: ResolvedHost, hop: Hop, connecting: Connecting) {
    this.#client = client
    this.#host = host
    this.#hop = hop
    this.#connecting = connecting
    this.#authentication = new Authentication(host, connecting)
    this.connection = new Ssh2Connection(client, host, hop)
  }

  async run(algorithms: NonNullable<Parameters<Client['connect']>[0]['algorithms']>): Promise<void> {
    const { serverAliveInterval: seconds, serverAliveCountMax, user, forwardAgent } = this.#host
    const onAbort = (): void => {
      this.#fault = this.#connecting.signal.reason
      this.connection.abandon()
    }
    const listen = (chunk: Buffer): void => {
      if (this.#firstBytes.length < QUOTED_BYTES) this.#firstBytes = Buffer.concat([this.#firstBytes, chunk])
    }
    try {
      const ready = this.#ready()
      this.#connecting.signal.addEventListener('abort', onAbort)
      this.#client.connect({
        sock: this.#hop.stream as never, // any duplex stream will do, which the types know of sockets only
        username: user,
        algorithms,
        authHandler: this.#authentication.handler as never, // ssh2 also takes false for an answer
        hostVerifier: (key: Buffer, verify: (isValid: boolean) => void) => void this.#verify(key, verify),
        keepaliveInterval: seconds === undefined ? KEEPALIVE_MS : seconds * 1000,
        keepaliveCountMax: serverAliveCountMax ?? KEEPALIVE_COUNT,
        readyTimeout: 0,
        ...(forwardAgent === undefined ? {} : { agent: forwardAgent, agentForward: true }),
      })
      this.#hop.stream.on('data', listen)
      await ready
    } finally {
      this.#hop.stream.off('data', listen)
      this.#connecting.signal.removeEventListener('abort', onAbort)
    }
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { user, hostname } = this.#host
      this.#client.once('handshake', () => {
        this.#hasHandshaken = true
        this.#connecting.enter('authenticate', `${user}@${hostname}`)
      })
      this.#client.once('ready', () => resolve())
      void this.connection.closed.then((error) => reject(this.#fault ?? this.#faultFrom(error)))
    })
  }

  async #verify(blob: Buffer, verify: (isValid: boolean) => void): Promise<void> {
    try {
      const key = hostKeyOf(blob)
      this.#connecting.enter('host key', `${key.type} ${key.fingerprint}`)
      await admitHostKey(this.#host, key)
      verify(true)
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error))
      verify(false)
    }
  }

  #faultFrom(error: Error | undefined): ConnectFault {
    if (this.#hasHandshaken) return this.#authentication.failure(isEnd(error) ? undefined : error)
    const { destination, hostname, port, needsOpenSsh } = this.#host
    const where = `${hostname} port ${port}`
    const said = this.#firstBytes.toString('latin1', 0, QUOTED_BYTES)
    const lastWords = this.#hop.lastWords()
    const detail = /no matching/i.test(error?.message ?? '')
      ? `${where} and ssh2 have no algorithm in common (${error?.message}). Try //engine=openssh`
      : said === ''
        ? `${where} closed the connection without a word${lastWords === '' ? '' : `: ${lastWords}`}. Check that it is an SSH server, and that it lets this machine in`
        : !said.includes('SSH-')
          ? `${where} is no SSH server: it said ${JSON.stringify(said)}. Check the port`
          : `${where} broke off: ${error?.message ?? 'it closed the connection'}. "ssh -v ${destination}" tells more${needsOpenSsh === undefined ? '' : `; //engine=openssh can use the ${needsOpenSsh}`}`
    return new ConnectFault('connect', detail, (full) => new HostNotFoundError(full, { phase: 'connect' }), {
      cause: error,
    })
  }
}

/** A connection that ssh2 keeps. */
class Ssh2Connection implements SshConnection, JumpHost {
  readonly address: string
  readonly closed: Promise<Error | undefined>
  readonly #client: Client
  readonly #host: ResolvedHost
  readonly #hop: Hop
  readonly #wanting = new Set<object>()
  #fault: Error | undefined

  constructor(client: Client, host: ResolvedHost, hop: Hop) {
    this.#client = client
    this.#host = host
    this.#hop = hop
    this.address = `${host.user}@${host.hostname}${host.port === 22 ? '' : ` port ${host.port}`}`
    // For good: an error that nobody listens to ends the process. What its level calls the agent's, a login goes on after.
    client.on('error', (error: Error & { readonly level?: string }) => {
      if (error.level !== 'agent') this.#fault ??= describe(error, this.address)
    })
    hop.stream.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      client.once('close', () => {
        this.#fault ??= new Error(`${this.address} closed the connection`)
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
    if (this.#fault !== undefined) throw this.#fault
    const token = {}
    this.keepAlive(token, true)
    try {
      let session: Ssh2Session | undefined
      const forwardsAgent = this.#host.forwardAgent !== undefined
      const onRefusal = (error: Error): void => session?.refuse(error)
      const channel = await this.#opened(
        openSessionChannel(this.#client, { command, forwardsAgent, onRefusal }),
        connecting,
      )
      session = new Ssh2Session(channel, this)
      onOpen?.()
      return session
    } finally {
      this.keepAlive(token, false)
    }
  }

  forward(hostname: string, port: number): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.forwardOut('127.0.0.1', 0, hostname, port, (error, channel) => {
        if (error === undefined) return resolve(channel)
        const message = `${this.address} cannot reach ${hostname} port ${port} for us (${error.message}). Check ProxyJump, and AllowTcpForwarding on ${this.#host.hostname}`
        reject(new ConnectFault('connect', message, (full) => new HostNotFoundError(full, { phase: 'connect' })))
      })
    })
  }

  keepAlive(session: object | boolean, isWanted = true): void {
    const key = typeof session === 'boolean' ? this : session
    if (typeof session === 'boolean' ? session : isWanted) this.#wanting.add(key)
    else this.#wanting.delete(key)
    this.#hop.keepAlive(this.#wanting.size > 0)
  }

  abandon(): void {
    this.#client.destroy()
    this.#hop.close()
  }

  async close(): Promise<void> {
    this.#client.end()
    this.#hop.keepAlive(false)
  }

  /** A host that does not answer such a request is not there any more, whatever TCP believes. */
  #opened(opening: Promise<ClientChannel>, connecting: Connecting): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        connecting.signal.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        settle()
        reject(connecting.signal.reason)
      }
      const timer = setTimeout(() => {
        this.#fault ??= new Error(`${this.address} has not opened a session for ${CHANNEL_OPEN_MS / 1000} s`)
        this.abandon()
        reject(this.#fault)
      }, CHANNEL_OPEN_MS)
      connecting.signal.addEventListener('abort', onAbort)
      opening.then(
        (channel) => {
          settle()
          if (connecting.signal.aborted) channel.close()
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

function describe(error: Error & { readonly level?: string; readonly code?: string }, address: string): Error {
  if (error.level === 'client-timeout')
    return new Error(`${address} has not answered for too long (keepalive)`, { cause: error })
  if (error.code === 'ECONNRESET') return new Error(`${address} cut the connection (ECONNRESET)`, { cause: error })
  return error
}

/** Whether it says no more than that everything has been tried. */
function isEnd(error: Error | undefined): boolean {
  return error === undefined || /All configured authentication methods failed/.test(error.message)
}
