/** Runs a program that tells something and ends: its words out, and nothing of it left behind when nobody waits any more. */
import { type ChildProcess, spawn } from 'node:child_process'
import { environmentForOthers } from '../../../transports/environment.js'

// More than any of them says: beyond it something else is talking.
const MAX_OUTPUT = 1024 * 1024

/** What a program said. */
export interface Outcome {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program to its end, without a shell.
 *
 * @param signal - Kills it and all that it started.
 * @returns What it said; undefined when there is no such program, or it is not for us.
 */
export function runProgram(argv: readonly string[], signal: AbortSignal): Promise<Outcome | undefined> {
  const [command = '', ...args] = argv
  return new Promise((resolve, reject) => {
    // It leads a group: what it starts itself (`Match exec`) must not outlive it.
    const detached = process.platform !== 'win32'
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environmentForOthers(),
      windowsHide: true,
      detached,
    })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        said[name] += chunk
        if (said[name].length > MAX_OUTPUT) killGroup(child)
      })
    }
    const onAbort = () => {
      killGroup(child)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    child.on('error', (error) => {
      signal.removeEventListener('abort', onAbort)
      if ('code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) resolve(undefined)
      else reject(error)
    })
    child.on('close', (exitCode) => {
      signal.removeEventListener('abort', onAbort)
      resolve({ exitCode: exitCode ?? undefined, ...said })
    })
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
