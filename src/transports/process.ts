/**
 * A child process whose stdin and stdout are the stream. Its end is its exit, never only the end of its output: a
 * process that it forked may hold the pipes open for as long as it likes.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Transport, TransportEvents } from './transport.js'

/** How to start the process. */
export interface ProcessOptions {
  readonly cwd?: string | undefined
  /** Set beside the variables of this process. */
  readonly env?: Readonly<Record<string, string>>
}

// What a process wrote before it ended is in the pipes and arrives within this; beyond it somebody else holds them open.
const LINGER_MS = 250

/** Starts a process; that it cannot be started is told by `onEnd`. It leads a session of its own, so that all it starts can be ended with it. */
export function openProcess(argv: readonly string[], options: ProcessOptions = {}): Transport {
  return new ProcessTransport(argv, options)
}

class ProcessTransport implements Transport {
  readonly remoteAddress = undefined
  readonly #child: ChildProcessWithoutNullStreams
  #events: TransportEvents | undefined
  #hasEnded = false

  constructor([command = '', ...args]: readonly string[], { cwd, env }: ProcessOptions) {
    this.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
  }

  start(events: TransportEvents): void {
    this.#events = events
    const { stdin, stdout, stderr } = this.#child
    stdout.on('data', (chunk: Uint8Array) => events.onChunk(chunk))
    stderr.on('data', (chunk: Uint8Array) => events.onStderr(chunk))
    stdin.on('drain', () => events.onDrain())
    // A pipe that breaks is the end of the process, which tells more about it.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined)
    this.#child.on('error', (error) => this.#end(undefined, undefined, error))
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
  }

  keepAlive(isWanted: boolean): void {
    const { stdin, stdout, stderr } = this.#child
    const verb = isWanted ? 'ref' : 'unref'
    this.#child[verb]()
    // At run time they are sockets, which their types do not say.
    for (const stream of [stdin, stdout, stderr])
      if (verb in stream) (stream as unknown as { ref(): void; unref(): void })[verb]()
  }

  async #onExit(exitCode: number | undefined, signal: string | undefined): Promise<void> {
    const { stdout, stderr } = this.#child
    await Promise.race([Promise.all([ended(stdout), ended(stderr)]), passed(LINGER_MS)])
    this.#end(exitCode, signal, undefined)
  }

  #end(exitCode: number | undefined, signal: string | undefined, error: Error | undefined): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy()
    this.#events?.onEnd({ exitCode, signal, error })
  }
}

function ended(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.readableEnded || stream.destroyed) resolve()
    else stream.once('close', resolve).once('end', resolve)
  })
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function isNoSuchProcess(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM')
}
