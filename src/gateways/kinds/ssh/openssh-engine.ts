/**
 * SSH as the system's own `ssh` speaks it: certificates, hardware keys, Kerberos, and whatever else the user's is configured
 * to do. One process of it logs in and becomes the master of a control socket; each session is another that goes through it.
 * A master of the user's that is alive is joined, and left as it was.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type Askpass, openAskpass } from '../../../transports/askpass.js'
import type { Connecting } from '../../../transports/connecting.js'
import { environmentForOthers } from '../../../transports/environment.js'
import { privatePath } from '../../../transports/private-folder.js'
import type { Transport } from '../../../transports/transport.js'
import type { SshConnection, SshEngine } from './connection.js'
import type { ResolvedHost } from './host.js'
import { masterCommand, sessionCommand } from './openssh-command.js'
import { OpensshControl } from './openssh-control.js'
import { opensshFault } from './openssh-fault.js'
import { OpensshLog } from './openssh-log.js'
import { answerFor, type Declined } from './openssh-questions.js'
import { OpensshSession } from './openssh-session.js'
import { unreachable } from './unreachable.js'

const LOGINS = 3

export const opensshEngine: SshEngine = {
  name: 'openssh',
  connect: async (host, connecting) => {
    connecting.signal.throwIfAborted()
    const control = await joinUsers(host)
    if (control !== undefined) return new OpensshConnection(host, control)
    if (process.platform === 'win32')
      throw unreachable(
        'connect',
        `${host.destination} would need control sockets of ssh, which Windows lacks; use ssh2`,
      )
    return logIn(host, connecting)
  },
}

async function joinUsers({ controlPath }: ResolvedHost): Promise<OpensshControl | undefined> {
  return controlPath === undefined ? undefined : OpensshControl.join(controlPath).catch(() => undefined)
}

/** A master waits a second or two for its first client: where this program was busy for longer than that, another one logs in. */
async function logIn(host: ResolvedHost, connecting: Connecting): Promise<OpensshConnection> {
  for (let left = LOGINS - 1; ; left--) {
    const log = new OpensshLog(host, connecting)
    const path = privatePath('ssh')
    await startMaster(host, connecting, path, log)
    try {
      return new OpensshConnection(host, await OpensshControl.join(path), log)
    } catch (error) {
      if (left === 0) throw error
    }
  }
}

/** Ends when it has logged in. */
async function startMaster(host: ResolvedHost, connecting: Connecting, path: string, log: OpensshLog): Promise<void> {
  const declined: Declined = {}
  const askpass = await openAskpass(async (question) => {
    const answer = await answerFor(question, host, connecting, declined)
    if (declined.method !== undefined) master?.kill()
    return answer
  })
  let master: Master | undefined
  try {
    master = new Master(host, path, askpass, log)
    if (!(await master.hasLoggedIn(connecting.signal))) throw await opensshFault(host, log, declined.method)
  } finally {
    askpass.close()
  }
}

/** The process that logs in. When it has, it ends, and the master goes on in the background with its stderr. */
class Master {
  readonly #child: ChildProcessByStdio<null, null, Readable>
  readonly #exited: Promise<boolean>

  constructor(host: ResolvedHost, path: string, askpass: Askpass, log: OpensshLog) {
    const [command = '', ...args] = masterCommand(host, path)
    this.#child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      env: environmentForOthers({
        DISPLAY: process.env['DISPLAY'] ?? ':', // ssh before 8.4 asks a program only where there is a display
        ...askpass.env,
        SSH_ASKPASS: askpass.program,
        SSH_ASKPASS_REQUIRE: 'force',
        LC_ALL: 'C',
      }),
    })
    const { stderr } = this.#child
    stderr.setEncoding('utf8').on('data', log.feed)
    stderr.on('error', () => undefined)
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        log.feed(`${error.message}\n`)
        resolve(false)
      })
      // What it said before it failed is read first; a master that goes on holds the pipe open.
      this.#child.once('exit', (code) => code === 0 && resolve(true))
      this.#child.once('close', () => resolve(false))
    })
  }

  /** Whether the host let us in. */
  async hasLoggedIn(signal: AbortSignal): Promise<boolean> {
    const onAbort = (): void => this.kill()
    signal.addEventListener('abort', onAbort)
    try {
      const isIn = await this.#exited
      signal.throwIfAborted()
      return isIn
    } finally {
      signal.removeEventListener('abort', onAbort)
      if ('unref' in this.#child.stderr) (this.#child.stderr as unknown as { unref(): void }).unref() // a socket at run time
    }
  }

  /** Ends it with what it runs: a ProxyCommand, or the program that asks. */
  kill(): void {
    const { pid } = this.#child
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // it has ended meanwhile
    }
  }
}

/** A master that has logged in: ours when there is a log of it. */
class OpensshConnection implements SshConnection {
  readonly address: string
  readonly closed: Promise<Error | undefined>
  readonly #host: ResolvedHost
  readonly #control: OpensshControl
  readonly #isOurs: boolean
  #isWanted = true

  constructor(host: ResolvedHost, control: OpensshControl, log?: OpensshLog) {
    this.address = `${host.user}@${host.hostname}${host.port === 22 ? '' : ` port ${host.port}`}`
    this.#host = host
    this.#control = control
    this.#isOurs = log !== undefined
    this.closed = control.closed.then(() => {
      if (!this.#isWanted) return new Error(`the connection to ${this.address} was closed`)
      const why = log?.lastWords ?? ''
      return new Error(`${this.address} closed the connection${why === '' ? '' : ` (ssh said ${JSON.stringify(why)})`}`)
    })
  }

  async openSession(command: string, _connecting: Connecting, onOpen?: () => void): Promise<Transport> {
    return new OpensshSession(sessionCommand(this.#host, this.#control.path, command), this, onOpen)
  }

  async close(): Promise<void> {
    this.#isWanted = false
    if (this.#isOurs) this.#control.terminate()
    else this.#control.leave()
  }
}
