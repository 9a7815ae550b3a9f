/** The worker of a host that starts others there, for when its sessions are taken. No group knows it, and no gateway owns it. */
import { BootstrapError } from '../../../errors.js'
import { XSpec } from '../../../specs/xspec.js'
import { ConnectFault, type Connecting } from '../../../transports/connecting.js'
import { openDeferred, type Reached } from '../../../transports/deferred.js'
import { BaseGateway } from '../../gateway.js'
import { Opening } from '../../opening.js'
import { SessionRefused, type SshConnection } from './connection.js'
import type { SharedConnection } from './shared-connection.js'

/** One host's, made for the first gateway that needs it. */
export class Supervisor {
  /** What starts its interpreter. */
  readonly command: string
  /**
   * Resolves when it may be used.
   *
   * @throws ConnectFault when the host is not reached, BootstrapError when its interpreter did not start.
   */
  readonly ready: Promise<BaseGateway>
  /** Resolves when it has ended, or never came to life. Never rejects. */
  readonly closed: Promise<void>
  readonly #shared: SharedConnection
  readonly #connecting: Connecting
  readonly #abort = new AbortController()
  #gateway: BaseGateway | undefined
  #fault: ConnectFault | undefined

  /** @param first - Of the gateway that needs it: asks what the login wants to know, and has no other part in this. */
  constructor(shared: SharedConnection, command: string, first: Connecting) {
    this.#shared = shared
    this.command = command
    this.#connecting = {
      enter: () => undefined,
      ask: (question) => first.ask(question),
      pause: () => first.pause(),
      signal: this.#abort.signal,
    }
    this.ready = this.#start()
    this.closed = this.ready.then(
      (gateway) => gateway.closed.then(() => undefined),
      () => undefined,
    )
  }

  /** Nobody needs it any more, wherever it is. */
  end(): void {
    this.#abort.abort(new Error('nobody needs it any more'))
    void this.#gateway?.terminate()
  }

  async #start(): Promise<BaseGateway> {
    const lease = await this.#shared.lease(this.#connecting)
    const { connection } = lease
    const id = `supervisor on ${connection.address}`
    let isCrowded = false
    const gateway = new BaseGateway({
      id,
      spec: XSpec.parse('ssh=supervisor'),
      transport: openDeferred({
        address: connection.address,
        open: () => (isCrowded ? this.#openElsewhere() : this.#open(connection)),
        mayReopen: (error) => {
          if (isCrowded || !(error instanceof SessionRefused)) return false
          isCrowded = true
          return true
        },
      }),
      tried: [],
      onOutput: () => undefined,
      opening: new Opening({ gateway: id }),
    })
    this.#gateway = gateway
    void gateway.closed.then(() => lease.release())
    try {
      return await gateway.ready
    } catch (error) {
      if (error instanceof Error && error.cause instanceof SessionRefused) throw noSessions(connection.address)
      throw this.#fault ?? error
    }
  }

  async #open(connection: SshConnection): Promise<Reached> {
    try {
      return { transport: await connection.openSession(this.command, this.#connecting) }
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error
      return this.#openElsewhere()
    }
  }

  /** All sessions of the connection are taken: it gets one of its own. */
  async #openElsewhere(): Promise<Reached> {
    const connection = await this.#connectOnceMore()
    const close = (): void => void connection.close()
    try {
      return { transport: await connection.openSession(this.command, this.#connecting), onEnd: close }
    } catch (error) {
      close()
      throw error
    }
  }

  /** The error of the gateway would bear the supervisor's name, which nobody knows: the fault itself is kept. */
  async #connectOnceMore(): Promise<SshConnection> {
    try {
      return await this.#shared.connectOnceMore(this.#connecting)
    } catch (error) {
      if (error instanceof ConnectFault) this.#fault = error
      throw error
    }
  }
}

function noSessions(address: string): ConnectFault {
  const message = `${address} lets us in, but gives a new connection no session either. Check MaxSessions of its sshd_config, and whether the account may have sessions`
  return new ConnectFault('channel', message, (full) => new BootstrapError(full, { phase: 'channel' }))
}
