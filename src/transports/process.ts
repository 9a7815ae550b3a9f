/**
 * A child process whose stdin and stdout are the stream. Its end is its exit, never only the end of its output: a
 * process that it forked may hold the pipes open for as long as it likes.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { asError } from '../thrown.js'
import { Timer } from '../timer.js'
import { attend } from './attendant.js'
import { openEnded } from './ended.js'
import { environmentForOthers } from './environment.js'
import { readPaced } from './pace.js'
import { type Transport, type TransportEvents, Unconfirmed } from './transport.js'

/** How to start the process. */
export interface ProcessOptions {
  readonly cwd?: string | undefined
  /** Set beside the variables of this process, of which those of tendril's own (`TENDRIL_*`) stay here. */
  readonly env?: Readonly<Record<string, string>>
  /** It is not to outlive this program, for as long as `greeted` was not called. */
  readonly isAttended?: boolean
}

// For so long somebody else may have more to say: a worker's guard tells, on stderr, what that had printed last, before it lets go of stdout.
const STDOUT_MS = 2000
// What was written there before is in the pipe and arrives within this; beyond it somebody holds it open who says nothing.
const STDERR_MS = 250
// What a debugger holds ends for its parent when the debugger goes on; what waits in the system (a disk that is gone), when that does.
const KILLED_MS = 10_000

/** Starts a process; that it cannot be started is told by `onEnd`. It leads a session of its own, so that all it starts can be ended with it. */
export function openProcess(argv: readonly string[], options: ProcessOptions = {}): Transport {
  try {
    return new ProcessTransport(argv, options)
  } catch (error) {
    return openEnded({ error: asError(error) }) // Node throws what it does not know, such as E2BIG
  }
}

class ProcessTransport implements Transport {
  readonly remoteAddress = undefined
  readonly #child: ChildProcessWithoutNullStreams
  readonly #release: (() => void) | undefined
  #events: TransportEvents | undefined
  #hasEnded = false
  #confirmation: Timer | undefined

  constructor([command = '', ...args]: readonly string[], options: ProcessOptions) {
    const { cwd, env, isAttended }: ProcessOptions = Object.assign(Object.create(null), options)
    this.#child = spawn(command, args, {
      cwd,
      env: environmentForOthers(env),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    const { pid } = this.#child
    if (isAttended === true && pid !== undefined) this.#release = attend(pid)
  }

  start(events: TransportEvents): void {
    this.#events = events
    const { stdin, stdout, stderr } = this.#child
    readPaced(stdout, (chunk) => events.onChunk(chunk))
    readPaced(stderr, (chunk) => events.onStderr(chunk))
    stdin.on('drain', () => events.onDrain())
    // A pipe that breaks is the end of the process, which tells more about it.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined)
    this.#child.on('error', (error) => this.#end(undefined, undefined, withoutWords(error)))
    this.#child.on('exit', (exitCode, signal) => void this.#onExit(exitCode ?? undefined, signal ?? undefined))
  }

  write(chunks: readonly Uint8Array[]): boolean {
    const { stdin } = this.#child
    if (stdin.destroyed || stdin.writableEnded) return true
    if (chunks.length === 1) return stdin.write(chunks[0])
    stdin.cork()
    let hasRoom = true
    for (const chunk of chunks) hasRoom = stdin.write(chunk)
    stdin.uncork()
    return hasRoom
  }

  endInput(): void {
    this.#child.stdin.end()
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      if (process.platform === 'win32') this.#child.kill(signal)
      else process.kill(-pid, signal)
    } catch (error) {
      if (!isNoSuchProcess(error)) throw error
    }
    if (signal === 'SIGKILL' && !this.#hasEnded) this.#confirmation ??= new Timer(KILLED_MS, () => this.#giveUp())
  }

  greeted(): void {
    this.#release?.()
  }

  keepAlive(isWanted: boolean): void {
    const { stdin, stdout, stderr } = this.#child
    const verb = isWanted ? 'ref' : 'unref'
    this.#child[verb]()
    this.#confirmation?.[verb]()
    // At run time they are sockets, which their types do not say.
    for (const stream of [stdin, stdout, stderr])
      if (verb in stream) (stream as unknown as { ref(): void; unref(): void })[verb]()
  }

  async #onExit(exitCode: number | undefined, signal: string | undefined): Promise<void> {
    this.#release?.()
    const { stdout, stderr } = this.#child
    await endsWithin(stdout, STDOUT_MS)
    await endsWithin(stderr, STDERR_MS)
    this.#end(exitCode, signal, undefined)
  }

  #giveUp(): void {
    const text = `process ${this.#child.pid} has not ended, although it was killed: a debugger or the system holds it`
    this.#end(undefined, undefined, new Unconfirmed(text))
    this.#child.unref()
  }

  #end(exitCode: number | undefined, signal: string | undefined, error: Error | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#confirmation?.stop()
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy()
    this.#events?.onEnd({ exitCode, signal, error })
  }
}

function endsWithin(stream: Readable, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (stream.readableEnded || stream.destroyed) return resolve()
    const timer = new Timer(ms, resolve)
    const onEnd = (): void => {
      timer.stop()
      resolve()
    }
    stream.once('close', onEnd).once('end', onEnd)
  })
}

/** The words may have secrets in them, which are not for logs. */
function withoutWords(error: Error): Error {
  Reflect.deleteProperty(error, 'spawnargs')
  return error
}

function isNoSuchProcess(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM')
}
