/**
 * One host and the workers on it. A connection carries a few sessions of their own; whoever comes after that is started by
 * one supervisor there, a worker like any other that no group knows: a host's MaxSessions is a limit that is learned, not hit.
 */
import { BootstrapError, TendrilError } from '../../../errors.js'
import { Timer } from '../../../timer.js'
import type { Connecting } from '../../../transports/connecting.js'
import type { Reached } from '../../../transports/deferred.js'
import { openEnded } from '../../../transports/ended.js'
import type { Transport } from '../../../transports/transport.js'
import { carry } from '../../carriers/carry.js'
import type { BaseGateway } from '../../gateway.js'
import { SessionRefused, type SshConnection, type SshEngine } from './connection.js'
import type { ResolvedHost } from './host.js'
import { type Lease, SharedConnection } from './shared-connection.js'
import { SpareSession } from './spare.js'
import { Supervisor } from './supervisor.js'

// sshd allows ten (MaxSessions): one is the supervisor's, and one is left to the user.
const DIRECT_SESSIONS = 8
// Long enough to serve gateways that are opened in a row, short enough that nobody finds an idle connection.
const IDLE_MS = 1000

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
  /** Those of gateways, and the spare one. */
  #sessions = 0
  #spare: SpareSession | undefined
  #isPreparing = false
  #maxSessions = DIRECT_SESSIONS
  #supervisor: Supervisor | undefined
  #carried = 0
  #idle: Timer | undefined

  /** @param onIdle - Called when it has had no gateway for long. */
  constructor(host: ResolvedHost, engine: SshEngine, onIdle: () => void) {
    this.#shared = new SharedConnection(host, engine, { onIdle })
  }

  /**
   * Starts an interpreter: in a session of its own, or beside the supervisor.
   *
   * @throws ConnectFault when the host is not reached.
   */
  async start(worker: WorkerCommand, connecting: Connecting): Promise<Reached> {
    const lease = await this.#shared.lease(connecting)
    try {
      return (
        (await this.#startInSession(lease, worker, connecting)) ?? (await this.#startBeside(lease, worker, connecting))
      )
    } catch (error) {
      lease.release()
      if (!lease.isStale() || connecting.signal.aborted) throw error
      return this.start(worker, connecting)
    }
  }

  /** A session that was opened turned out to have been refused: no more than there are now are asked for again. */
  learnLimit(): void {
    this.#maxSessions = Math.min(this.#maxSessions, this.#sessions)
  }

  async #startInSession(lease: Lease, worker: WorkerCommand, connecting: Connecting): Promise<Reached | undefined> {
    const { connection } = lease
    const onEnd = (): void => {
      this.#leaveSession()
      lease.release()
    }
    const spare = this.#takeSpare(connection, worker.command)
    if (spare === undefined && this.#sessions >= this.#maxSessions) return undefined
    connecting.enter('channel', connection.address)
    const onOpen = (): void => connecting.enter('python', worker.interpreter)
    if (spare !== undefined) onOpen()
    else this.#sessions++
    try {
      const transport = spare ?? (await connection.openSession(worker.command, connecting, onOpen))
      // Its way there is that of the worker, so the next gateway need not wait for it.
      void this.#prepareSpare(connection)
      return { transport, onEnd }
    } catch (error) {
      this.#leaveSession()
      if (!isRefusal(error)) throw error
      this.learnLimit()
      return undefined
    }
  }

  /** The session that was opened ahead, if it can still become what is wanted. It has been counted. */
  #takeSpare(connection: SshConnection, command: string): SpareSession | undefined {
    const spare = this.#spare
    if (spare === undefined || spare.connection !== connection || !spare.become(command)) return undefined
    this.#spare = undefined
    return spare
  }

  async #prepareSpare(connection: SshConnection): Promise<void> {
    if (this.#spare !== undefined || this.#isPreparing || this.#sessions >= this.#maxSessions) return
    this.#isPreparing = true
    this.#sessions++
    try {
      const spare = await SpareSession.open(connection)
      this.#spare = spare
      void spare.ended.then((error) => this.#loseSpare(spare, error))
      this.#endLoneSpare()
    } catch (error) {
      this.#leaveSession()
      if (isRefusal(error)) this.learnLimit()
    } finally {
      this.#isPreparing = false
    }
  }

  #loseSpare(spare: SpareSession, error: Error | undefined): void {
    if (this.#spare !== spare) return // it has become a gateway's
    this.#spare = undefined
    this.#leaveSession()
    if (isRefusal(error)) this.learnLimit()
  }

  #leaveSession(): void {
    this.#sessions--
    this.#endLoneSpare()
  }

  /** Whoever comes from now on opens a session of its own: a spare one that has been told to leave is none. */
  #endLoneSpare(): void {
    const spare = this.#spare
    if (spare === undefined || this.#sessions > 1) return
    this.#spare = undefined
    this.#sessions--
    spare.end()
  }

  async #startBeside(lease: Lease, worker: WorkerCommand, connecting: Connecting): Promise<Reached> {
    this.#idle?.stop()
    this.#carried++
    const leave = (): void => {
      if (--this.#carried === 0) this.#endWhenIdle()
    }
    const onEnd = (): void => {
      leave()
      lease.release()
    }
    const { address } = lease.connection
    try {
      connecting.enter('channel', `${address}, the supervisor there`)
      const supervisor = await this.#supervisorFor(worker, connecting)
      connecting.signal.throwIfAborted()
      connecting.enter('python', worker.interpreter)
      // Signals go to the process group that begins here, which the interpreter is to lead.
      const argv = ['sh', '-c', `exec ${worker.command}`]
      return { transport: carry(supervisor, { argv, env: {} }, address), onEnd }
    } catch (error) {
      const transport = lastWordsOf(error, address)
      if (transport !== undefined) {
        connecting.enter('python', worker.interpreter)
        return { transport, onEnd }
      }
      leave()
      throw error instanceof BootstrapError && error.cause instanceof Error ? error.cause : error
    }
  }

  /** The one that there is, unless it is still on its way with another interpreter, and that turns out not to start. */
  async #supervisorFor(worker: WorkerCommand, connecting: Connecting): Promise<BaseGateway> {
    const other = this.#supervisor
    if (other !== undefined && other.command !== worker.bareCommand) {
      const gateway = await other.ready.catch(() => undefined)
      if (gateway !== undefined) return gateway
    }
    this.#supervisor ??= this.#newSupervisor(worker, connecting)
    return this.#supervisor.ready
  }

  #newSupervisor({ bareCommand }: WorkerCommand, connecting: Connecting): Supervisor {
    const supervisor = new Supervisor(this.#shared, bareCommand, connecting)
    void supervisor.closed.then(() => this.#forget(supervisor))
    return supervisor
  }

  #forget(supervisor: Supervisor | undefined): void {
    if (this.#supervisor === supervisor) this.#supervisor = undefined
  }

  #endWhenIdle(): void {
    this.#idle = new Timer(IDLE_MS, () => {
      const supervisor = this.#supervisor
      this.#forget(supervisor)
      supervisor?.end()
    }).unref()
  }
}

/** Whether a transport ended because the host gave it no session. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SessionRefused
}

/** The supervisor's interpreter ended as the worker's would have. */
function lastWordsOf(error: unknown, address: string): Transport | undefined {
  if (!(error instanceof BootstrapError)) return undefined
  const { exitCode, signal, noise: stdout, stderrTail: stderr, cause } = error
  const hasRun = exitCode !== undefined || signal !== undefined || cause instanceof TendrilError
  if (!hasRun) return undefined
  return openEnded({ exitCode, signal, stdout, stderr, error: cause instanceof Error ? cause : undefined }, address)
}
