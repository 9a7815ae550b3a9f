/** The real socket server in a scratch folder, to be reached by its spec, with its token in a file. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { socketServerFile } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { thoseThatStay } from '../processes.js'
import { program } from './needs.js'
import { childrenOf } from './server.js'

/** What a server is to be like. */
export interface SocketServerOptions {
  /** The interpreter that serves. */
  readonly python?: string
  /** Further arguments. */
  readonly args?: readonly string[]
  /** The token; null for the one that the server finds by itself. */
  readonly token?: string | null
  /** The network namespace to run in. */
  readonly netns?: string
  /** Variables beside ours. */
  readonly env?: Readonly<Record<string, string>>
}

/** A server that listens. */
export interface SocketServer extends AsyncDisposable {
  readonly spec: string
  readonly port: number
  readonly pid: number
  readonly token: string
  /** The scratch folder; `stop` removes it. */
  readonly folder: string
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  /** All that it has written to stderr. */
  log(): string
  /** The workers that it has started and that run. */
  workers(): number[]
  stop(): Promise<void>
}

/** Starts a server and waits until it listens. */
export async function startSocketServer(options: SocketServerOptions = {}): Promise<SocketServer> {
  const {
    python = anyInterpreter().command,
    args = [],
    token = 'correct-horse-battery-staple',
    env = {},
    netns,
  } = options
  const folder = mkdtempSync(join(tmpdir(), 'tendril-socket-'))
  const tokenFile = join(folder, 'token')
  if (token !== null) writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
  const command = [python, socketServerFile, ...(token === null ? [] : ['--token-file', tokenFile]), ...args]
  const prefix = netns === undefined ? [] : [program('ip'), 'netns', 'exec', netns]
  const [file = '', ...rest] = [...prefix, ...command]
  const child = spawn(file, rest, {
    env: { ...process.env, XDG_CONFIG_HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const exited = once(child, 'exit')
  const [said] = await Promise.race([once(createInterface(child.stdout), 'line'), exited])
  if (typeof said !== 'string') throw new Error(`no server: ${log}`)
  const workers = (): number[] => childrenOf(child.pid ?? 0)
  const stop = async (): Promise<void> => {
    const started = workers()
    child.kill()
    await exited
    await thoseThatStay(() => started)
    rmSync(folder, { recursive: true, force: true })
  }
  const port = Number(/:(\d+)(?:\/\/|$)/.exec(said)?.[1])
  const { pid = 0 } = child
  return {
    spec: said,
    port,
    pid,
    token: token ?? '',
    folder,
    child,
    log: () => log,
    workers,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
