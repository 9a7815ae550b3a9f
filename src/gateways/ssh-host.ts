/**
 * One host and the workers on it. A connection carries a few sessions of their own; whoever comes after that is started by
 * one supervisor there, a worker like any other that no group knows: a host's MaxSessions is a limit that is learned, not hit.
 */
import type { Connecting } from '../transports/connecting.js'
import { openDeferred, type Reached } from '../transports/deferred.js'
import { SessionRefused, type SshConnection, type SshEngine } from '../transports/ssh/connection.js'
import type { ResolvedHost } from '../transports/ssh/host.js'
import { type Lease, SharedConnection } from '../transports/ssh/shared-connection.js'
import { carry } from './carry.js'
import { Gateway } from './gateway.js'
import { Opening } from './opening.js'
import { XSpec } from './xspec.js'

// sshd allows ten (MaxSessions): one is the supervisor's, and one is left to the user.
const DIRECT_SESSIONS = 8
const IDLE_MS = 10_000

/** An interpreter to be started on a host. */
export interface WorkerCommand {
  /** For the login shell: finds the interpreter, with the variables it is to have, and runs the loader. */
  readonly command: string
  /** The same without the variables: for an interpreter that serves others. */
  readonly bareCommand: string
  /** What is looked for, in words; undefined for the host's own Python. */
  readonly interpreter: string | undefined
}

/** One host as all gateways to it share it. */
export class SshHost {
  readonly #shared: SharedConnection
  #sessions = 0
  #maxSessions = DIRECT_SESSIONS
  #supervisor: Promise<Gateway> | undefined
  #carried = 0
  #idle: NodeJS.Timeout | undefined

  constructor(host: ResolvedHost, engine: SshEngine) {
    this.#shared = new SharedConnection(host, engine)
  }

  /**
   * Starts an interpreter: in a session of its own, or beside the supervisor.
   *
   * @throws {@link ConnectFault} when the host is not reached.
   */
  async start(worker: WorkerCommand, connecting: Connecting): Promise<Reached> {
    const lease = await this.#shared.lease(connecting)
    try {
      return (
        (await this.#startInSession(lease, worker, connecting)) ?? (await this.#startBeside(lease, worker, connecting))
      )
    } catch (error) {
      lease.release()
      throw error
    }
  }

  /** A session that was opened turned out to have been refused: no more than there are now are asked for again. */
  learnLimit(): void {
    this.#maxSessions = Math.min(this.#maxSessions, this.#sessions)
  }

  async #startInSession(lease: Lease, worker: WorkerCommand, connecting: Connecting): Promise<Reached | undefined> {
    if (this.#sessions >= this.#maxSessions) return undefined
    this.#sessions++
    try {
      connecting.enter('channel', lease.connection.address)
      const onOpen = (): void => connecting.enter('python', worker.interpreter)
      const transport = await lease.connection.openSession(worker.command, connecting, onOpen)
      return {
        transport,
        onEnd: () => {
          this.#sessions--
          lease.release()
        },
      }
    } catch (error) {
      this.#sessions--
      if (!isRefusal(error)) throw error
      this.learnLimit()
      return undefined
    }
  }

  async #startBeside(lease: Lease, worker: WorkerCommand, connecting: Connecting): Promise<Reached> {
    clearTimeout(this.#idle)
    this.#carried++
    const onEnd = (): void => {
      if (--this.#carried === 0) this.#endWhenIdle()
      lease.release()
    }
    try {
      connecting.enter('channel', `${lease.connection.address}, the supervisor there`)
      const supervisor = await this.#supervisorFor(worker, connecting)
      connecting.enter('python', worker.interpreter)
      // Signals go to the process group that begins here, which the interpreter is to lead.
      const argv = ['sh', '-c', `exec ${worker.command}`]
      return { transport: carry(supervisor, { argv, env: {} }, lease.connection.address), onEnd }
    } catch (error) {
      this.#carried--
      throw error
    }
  }

  /** The one that there is, or a new one: which is for everybody, so no single gateway may give it up. */
  #supervisorFor(worker: WorkerCommand, connecting: Connecting): Promise<Gateway> {
    if (this.#supervisor !== undefined) return this.#supervisor
    const supervisor = this.#startSupervisor(worker, {
      enter: () => undefined,
      ask: (question) => connecting.ask(question),
      pause: () => connecting.pause(),
      signal: new AbortController().signal,
    })
    this.#supervisor = supervisor
    const forget = (): void => {
      if (this.#supervisor === supervisor) this.#supervisor = undefined
    }
    supervisor.then((gateway) => gateway.closed).then(forget, forget)
    return supervisor
  }

  async #startSupervisor(worker: WorkerCommand, connecting: Connecting): Promise<Gateway> {
    const lease = await this.#shared.lease(connecting)
    const { connection } = lease
    let wasRefused = false
    const open = async (): Promise<Reached> => {
      if (wasRefused) return this.#openElsewhere(worker, connecting)
      try {
        return { transport: await connection.openSession(worker.bareCommand, connecting) }
      } catch (error) {
        if (!isRefusal(error)) throw error
        return this.#openElsewhere(worker, connecting)
      }
    }
    const mayReopen = (error: Error): boolean => {
      const isFirst = !wasRefused
      wasRefused = true
      return isFirst && isRefusal(error)
    }
    const id = `supervisor on ${connection.address}`
    const gateway = new Gateway({
      id,
      spec: XSpec.parse('ssh=supervisor'),
      transport: openDeferred({ address: connection.address, open, mayReopen }),
      tried: [],
      onOutput: () => undefined,
      opening: new Opening({ gateway: id }),
    })
    void gateway.closed.then(() => lease.release())
    return gateway.ready
  }

  /** All sessions of the connection are taken: the supervisor gets one of its own. */
  async #openElsewhere(worker: WorkerCommand, connecting: Connecting): Promise<Reached> {
    const connection: SshConnection = await this.#shared.connectOnceMore(connecting)
    try {
      return {
        transport: await connection.openSession(worker.bareCommand, connecting),
        onEnd: () => void connection.close(),
      }
    } catch (error) {
      void connection.close()
      throw error
    }
  }

  #endWhenIdle(): void {
    this.#idle = setTimeout(() => {
      const supervisor = this.#supervisor
      this.#supervisor = undefined
      void supervisor?.then((gateway) => gateway.terminate())
    }, IDLE_MS)
    this.#idle.unref()
  }
}

/** Whether a transport ended because the host gave it no session. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SessionRefused
}
