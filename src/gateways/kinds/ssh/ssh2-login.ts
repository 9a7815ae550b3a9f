/** The way from a stream to a connection of ssh2's that has logged in: keys are verified and shown, and what goes wrong gets its name. */
import type { Algorithms, BaseAgent, Client } from 'ssh2'
import { asError } from '../../../thrown.js'
import type { ConnectFault, Connecting } from '../../../transports/connecting.js'
import type { Hop } from './hops.js'
import type { ResolvedHost } from './host.js'
import { admitHostKey } from './host-key-policy.js'
import { hostKeyOf } from './known-hosts.js'
import { Authentication } from './ssh2-authentication.js'
import { Ssh2Connection, triedAll } from './ssh2-connection.js'
import { Signatures } from './ssh2-signatures.js'
import { commandFault, greetingFault, NoCommonAlgorithm, unreachable } from './unreachable.js'

// Of what a port says that is not SSH's: enough to recognize it.
const QUOTED_BYTES = 80

/** What a host is offered. */
export interface LoginOptions {
  readonly algorithms: Algorithms
  /** To forward, if any. */
  readonly agent: BaseAgent | undefined
}

/** One login. */
export class Login {
  readonly #client: Client
  readonly #host: ResolvedHost
  readonly #hop: Hop
  readonly #connecting: Connecting
  readonly #signatures: Signatures
  readonly #authentication: Authentication
  readonly #connection: Ssh2Connection
  #fault: Error | undefined
  /** The key that the host was found to be known by. */
  #admitted: Buffer | undefined
  #hasHandshaken = false
  #firstBytes = Buffer.alloc(0)

  constructor(client: Client, host: ResolvedHost, hop: Hop, connecting: Connecting) {
    this.#client = client
    this.#host = host
    this.#hop = hop
    this.#connecting = connecting
    this.#signatures = new Signatures(client, host.pubkeyAcceptedAlgorithms)
    this.#authentication = new Authentication(host, connecting, this.#signatures)
    this.#connection = new Ssh2Connection(client, host, hop)
  }

  /** @throws ConnectFault that names the phase. */
  async run(options: LoginOptions): Promise<Ssh2Connection> {
    const { stream, isAnswered } = this.#hop
    const { signal } = this.#connecting
    // ssh2 waits for events, and those of a stream that is over have been.
    if (stream.destroyed || stream.readableEnded) throw this.#faultFrom(undefined)
    if (isAnswered) this.#onAnswer()
    const onAbort = (): void => {
      this.#fault = signal.reason
      this.#connection.abandon()
    }
    const listen = (chunk: Buffer): void => this.#listen(chunk)
    try {
      signal.addEventListener('abort', onAbort)
      const ready = this.#ready()
      this.#connect(options)
      this.#signatures.listen()
      stream.on('data', listen)
      await ready
      return this.#connection
    } finally {
      stream.off('data', listen)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #connect({ algorithms, agent }: LoginOptions): void {
    this.#client.connect({
      sock: this.#hop.stream as never, // any duplex stream will do, which the types know of sockets only
      username: this.#host.user,
      algorithms,
      authHandler: this.#authentication.handler as never, // ssh2 also takes false for an answer
      hostVerifier: (key: Buffer, verify: (isValid: boolean) => void) => this.#verify(key, verify),
      readyTimeout: 0,
      ...(agent === undefined ? {} : { agent, agentForward: true }),
    })
  }

  #ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { user, hostname } = this.#host
      this.#client.once('handshake', () => {
        this.#hasHandshaken = true
        this.#connecting.enter('authenticate', `${user}@${hostname}`)
      })
      this.#client.once('ready', () => resolve())
      this.#client.once('change password', () => {
        this.#fault = this.#authentication.failure(new Error('it wants the password to be changed first'))
        this.#connection.abandon()
      })
      void this.#connection.closed.then((error) => reject(this.#fault ?? this.#faultFrom(error)))
    })
  }

  /** Somebody is there, who may yet be no SSH server. */
  #onAnswer(): void {
    this.#connecting.enter('host key', `${this.#host.hostname} port ${this.#host.port}`)
  }

  #listen(chunk: Buffer): void {
    if (this.#firstBytes.length === 0 && !this.#hop.isAnswered) this.#onAnswer()
    if (this.#firstBytes.length < QUOTED_BYTES) this.#firstBytes = Buffer.concat([this.#firstBytes, chunk])
  }

  /**
   * A host shows its key again whenever keys are changed, as hosts do after so many bytes. That must be answered at once:
   * while an answer is pending ssh2 goes on sending, in packets that the host cannot read.
   */
  #verify(blob: Buffer, verify: (isValid: boolean) => void): void {
    if (this.#admitted === undefined) void this.#admit(blob).then(verify)
    else verify(this.#admitted.equals(blob))
  }

  async #admit(blob: Buffer): Promise<boolean> {
    try {
      const key = hostKeyOf(blob)
      this.#connecting.enter('host key', `${key.type} ${key.fingerprint}`)
      await admitHostKey(this.#host, key)
      this.#admitted = Buffer.from(blob)
      return true
    } catch (error) {
      this.#fault = asError(error)
      return false
    }
  }

  #faultFrom(error: Error | undefined): ConnectFault {
    if (this.#hasHandshaken)
      return this.#authentication.failure(triedAll.test(error?.message ?? '') ? undefined : error)
    const { destination, hostname, port, needsOpenSsh } = this.#host
    const where = `${hostname} port ${port}`
    const said = this.#firstBytes.toString('latin1', 0, QUOTED_BYTES)
    const lastWords = this.#hop.lastWords()
    const words = lastWords === '' ? '' : `: ${lastWords}`
    if (said === '' && !this.#hop.isAnswered) return commandFault(this.#host, lastWords)
    if (said === '')
      return unreachable(
        'host key',
        `${where} closed the connection without a word${words}. Check that it is an SSH server, and that it lets this machine in`,
      )
    if (!said.includes('SSH-')) return greetingFault(this.#host, said)
    if (error !== undefined && /no matching/i.test(error.message)) return new NoCommonAlgorithm(this.#host, error)
    return unreachable(
      'host key',
      `${where} broke off: ${error?.message ?? 'it closed the connection'}. "ssh -v ${destination}" tells more${needsOpenSsh === undefined ? '' : `; //engine=openssh can use the ${needsOpenSsh}`}`,
    )
  }
}
