/**
 * A server under test as a process: started, ready when it says so, ended with all that it has started. As root it has a
 * mount namespace of its own, in which it may have other accounts and disks than the machine, and by which every process
 * that came from it is known, whatever became of its parents.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Readable } from 'node:stream'
import { isGone } from '../processes.js'
import { until } from '../waiting.js'
import { hasNamespaces, program } from './needs.js'

/** How a server is started. */
export interface ServerOptions {
  readonly command: readonly string[]
  /** The line of its stderr that says that it listens. */
  readonly ready: RegExp
  /** Lines of shell, run in the server's own mount namespace before it starts; root only. */
  readonly prepare?: readonly string[] | undefined
  /** The network namespace to run in. */
  readonly netns?: string | undefined
}

/** A server and all processes that came from it. */
export class Server implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, null, Readable>
  readonly #exited: Promise<unknown>
  /** Its own mount namespace, if it has one. */
  #namespace: string | undefined
  /** Keeps the namespace: when nobody is in it any more, the next bed of another test gets its number, and would be killed with it. */
  #held: number | undefined
  #isOver = false
  #log = ''

  private constructor(child: ChildProcessByStdio<null, null, Readable>) {
    this.#child = child
    this.#exited = once(child, 'exit')
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
    })
  }

  /**
   * Starts it and waits until it listens.
   *
   * @throws When it ends before, with all that it said.
   */
  static async start(options: ServerOptions): Promise<Server> {
    const [command = '', ...args] = fullCommand(options)
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const server = new Server(child)
    await server.logged(options.ready)
    const namespace = namespaceOf(server.pid)
    if (namespace !== namespaceOf(process.pid)) {
      server.#namespace = namespace
      server.#held = openSync(`/proc/${server.pid}/ns/mnt`, 'r')
    }
    return server
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** All that it has written to stderr. */
  get log(): string {
    return this.#log
  }

  /** Waits until it has written something to stderr, or finds it there; gives the text that matched. */
  async logged(pattern: RegExp): Promise<string> {
    const ended = this.#exited.then(() => true)
    while (true) {
      const [match] = pattern.exec(this.#log) ?? []
      if (match !== undefined) return match
      const isOver = await Promise.race([once(this.#child.stderr, 'data').then(() => false), ended])
      if (isOver && !pattern.test(this.#log))
        throw new Error(`no ${pattern} from ${this.#child.spawnargs}: ${this.#log}`)
    }
  }

  /** Every process that came from it and runs, without itself: logins, their shells, and what those left behind. */
  readonly pids = (): number[] => {
    const own = this.#namespace
    const all = own === undefined ? descendantsOf(this.pid) : allPids().filter((pid) => namespaceOf(pid) === own)
    return all.filter((pid) => pid !== this.pid && !isGone(pid))
  }

  /** Those of them that are not the server's own: what logins run. */
  readonly workers = (): number[] => this.pids().filter((pid) => !serverNames.has(nameOf(pid)))

  /** Kills the server with its share in every login, and not what they run: that has to notice for itself. */
  async crash(): Promise<void> {
    for (const pid of [this.pid, ...this.pids().filter((pid) => serverNames.has(nameOf(pid)))]) kill(pid)
    await this.#exited
  }

  /** Kills everything that came from it, and not itself: as a host that loses its logins and goes on. */
  async killSessions(): Promise<void> {
    await killAll(this.pids)
  }

  /** Ends it and everything that came from it. */
  async stop(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#child.kill('SIGSTOP') // it takes no further connection, and is still the parent of its logins
    await killAll(this.pids)
    this.#child.kill('SIGKILL')
    await this.#exited
    if (this.#held !== undefined) closeSync(this.#held)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

const serverNames: ReadonlySet<string> = new Set(['sshd', 'sshd-session', 'sshd-auth', 'dropbear'])

// Below those that Linux gives to whoever connects or listens on any: nobody comes to have one of these meanwhile.
const LOWEST_PORT = 20_000
const HIGHEST_PORT = 32_000

/** A TCP port of a loopback address that nobody listens on; of any other address, one that is likely to be free. */
export async function freePort(address: string): Promise<number> {
  while (true) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT))
    const server = createServer()
    server.listen(port, address.startsWith('127.') || address === '::1' ? address : '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

function fullCommand({ command, prepare = [], netns }: ServerOptions): string[] {
  if (prepare.length > 0 && !hasNamespaces) throw new Error('a bed with accounts or disks of its own needs root')
  const script = ['set -e', ...prepare, 'exec "$@"'].join('\n')
  return [
    ...(netns === undefined ? [] : [program('ip'), 'netns', 'exec', netns]),
    ...(hasNamespaces ? ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'bed'] : []),
    ...command,
  ]
}

/** New ones may start while the others are killed. */
async function killAll(pids: () => readonly number[]): Promise<void> {
  await until(() => {
    for (const pid of pids()) kill(pid)
    return pids().length === 0
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended meanwhile
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trim()
  } catch {
    return '' // it has ended
  }
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    return undefined // it has ended, or is another user's
  }
}

/** The processes that a process has started and that run. */
export function childrenOf(parent: number): number[] {
  return allPids().filter((pid) => parentOf(pid) === parent && !isGone(pid))
}

function descendantsOf(root: number): number[] {
  const parents = new Map(allPids().map((pid) => [pid, parentOf(pid)]))
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (parents.get(pid) === root || isBelow(parents.get(pid)))
  return [...parents.keys()].filter(isBelow)
}

function parentOf(pid: number): number | undefined {
  try {
    // pid (command) state ppid …; a command may hold anything, so count from its end.
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1])
  } catch {
    return undefined // it has ended
  }
}
