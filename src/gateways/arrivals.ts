/** Workers that dial home: a listener whose arrivals become gateways of a group. */
import { networkInterfaces } from 'node:os'
import { ItemQueue } from '../channels/item-queue.js'
import { XSpecError } from '../errors.js'
import type { XSpecLike } from '../specs/xspec.js'
import { type Certificate, fingerprintOf, selfSigned } from '../transports/dial-home/certificate.js'
import { dialCommand, isPlain, schemes } from '../transports/dial-home/command.js'
import { type Arrival, type Listener, listen } from '../transports/dial-home/listener.js'
import { Tokens } from '../transports/dial-home/tokens.js'
import { readToken } from '../transports/socket/token.js'
import type { BaseGateway } from './gateway.js'

/** How to listen for workers. */
export interface ListenOptions {
  /** The address to listen on; `127.0.0.1` when absent, `0.0.0.0` or `::` for all. */
  readonly host?: string | undefined
  /** A free one when absent. */
  readonly port?: number | undefined
  /** Whoever knows it may come, as often as they like; 22 characters or more. Without it only those come that were invited. */
  readonly token?: string | undefined
  /** A file with that token, which only its owner may read. */
  readonly tokenFile?: string | undefined
  /** Encrypts what is said, with a certificate and its key in PEM, or `true` for one that is made now. */
  readonly tls?: Certificate | boolean | undefined
  /** Origins, such as `https://example.org`, whose pages may come by WebSocket; none when absent. What is no browser has no origin. */
  readonly origins?: readonly string[] | undefined
  /** Keys of an xspec for every gateway, such as `chdir=work//nice=5`. */
  readonly spec?: XSpecLike | undefined
  /** Told of whoever is turned away, or comes and cannot be made a gateway. */
  readonly onRefusal?: ((address: string, reason: Error) => void) | undefined
}

/** How workers are invited. */
export interface InviteOptions {
  /** How often the command may be used; 1 when absent, and for ever where the listener has a token. */
  readonly count?: number | undefined
  /** Where the listener is found, when that is not where it listens: `ws://` or `wss://` for a reverse proxy, `tcp://` or `tls://` for a port that is forwarded. */
  readonly url?: string | undefined
}

/** What brings workers. */
export interface Invitation {
  /** A line for sh, bash, zsh or fish. */
  readonly command: string
  /** What it is to find on its standard input: the token, and the end of a line. What follows is not read. */
  readonly input: string
}

const MIN_TOKEN = 22

/** Gateways as their workers come. Iterate over it; leaving the loop does not end it, `close` does. */
export class Arrivals<G extends BaseGateway = BaseGateway> implements AsyncIterable<G>, Disposable {
  readonly #listener: Listener
  readonly #certificate: Certificate | undefined
  readonly #tokens: Tokens
  readonly #gateways: ItemQueue<G>

  private constructor(
    listener: Listener,
    certificate: Certificate | undefined,
    tokens: Tokens,
    gateways: ItemQueue<G>,
  ) {
    this.#listener = listener
    this.#certificate = certificate
    this.#tokens = tokens
    this.#gateways = gateways
  }

  /** @internal @param launch - Makes a gateway of whoever has come. */
  static async open<G extends BaseGateway>(
    options: ListenOptions,
    launch: (arrival: Arrival) => G,
  ): Promise<Arrivals<G>> {
    const { tls = false, tokenFile, onRefusal = () => undefined } = options
    const token = tokenFile === undefined ? options.token : readToken(tokenFile)
    if (token !== undefined && token.length < MIN_TOKEN)
      throw new XSpecError(`the token to listen with has ${token.length} characters; it must have ${MIN_TOKEN} or more`)
    const certificate = tls === true ? await selfSigned() : tls === false ? undefined : tls
    const tokens = new Tokens(token)
    const gateways = new ItemQueue<G>()
    const listener = await listen({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
      tls: certificate,
      tokens,
      origins: options.origins ?? [],
      onArrival: (arrival) => {
        const gateway = launch(arrival)
        gateway.ready.then(
          () => gateways.push(gateway),
          (error: Error) => onRefusal(arrival.address, error),
        )
      },
      onRefusal,
    })
    return new Arrivals(listener, certificate, tokens, gateways)
  }

  get host(): string {
    return this.#listener.host
  }

  get port(): number {
    return this.#listener.port
  }

  /**
   * Invites workers: a command of one line, for a person who types it into a shell on their machine. It sets the variable TENDRIL_TOKEN
   * to a token that is good for so many arrivals as `count` says; where the listener has a token and `count` is absent, it sets none, and
   * that of the variable over there is taken. A program that starts others takes {@link inviteParts}: all users of a machine may read a command line.
   *
   * @throws {@link XSpecError} for a `url` that cannot be dialed.
   */
  invite({ count, url }: InviteOptions = {}): string {
    const command = dialCommand(this.#addressFor(url))
    return this.#tokens.isOpen && count === undefined ? command : `TENDRIL_TOKEN=${this.#tokens.make(count)} ${command}`
  }

  /**
   * Invites workers by a program, such as ssh, srun, docker or `sh -c`: a command for a shell over there, and what it is to read on
   * standard input. No command line has the token in it.
   *
   * @throws {@link XSpecError} for a `url` that cannot be dialed.
   */
  inviteParts({ count, url }: InviteOptions = {}): Invitation {
    return { command: dialCommand(this.#addressFor(url), '-'), input: `${this.#tokens.make(count)}\n` }
  }

  #addressFor(url: string | undefined): string {
    const fingerprint = this.#certificate === undefined ? undefined : fingerprintOf(this.#certificate)
    const address = url ?? `${fingerprint === undefined ? 'tcp' : 'tls'}://${announced(this.host)}:${this.port}`
    if (!URL.canParse(address) || !schemes.includes(new URL(address).protocol))
      throw new XSpecError(`${JSON.stringify(address)} cannot be dialed; write one of ${schemes.join('//, ')}//`)
    if (!isPlain(address))
      throw new XSpecError(
        `${JSON.stringify(address)} cannot be dialed: write its quotes, backslashes, blanks and letters that are not ASCII as %27 and the like, a host as xn--…`,
      )
    // A proxy that encrypts shows a certificate of its own; then what is said behind it is plain, and we have none.
    return fingerprint === undefined ? address : `${address}#${fingerprint}`
  }

  /** The next gateway; undefined when the listener has been closed and all have been taken. */
  async next(): Promise<G | undefined> {
    const gateway = await this.#gateways.take()
    return typeof gateway === 'symbol' ? undefined : gateway
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<G, undefined> {
    for (let gateway = await this.next(); gateway !== undefined; gateway = await this.next()) yield gateway
    return undefined
  }

  /** Stops to listen. Gateways that have arrived go on. Idempotent. */
  close(): void {
    if (this.#gateways.isEnded) return
    this.#gateways.end()
    this.#listener.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** An address that others may know this machine by. */
function announced(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host.includes(':') ? `[${host}]` : host
  const outward = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return outward.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1'
}
