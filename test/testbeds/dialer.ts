/** The program that dials home, as somebody on another machine would run it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { dialFile } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

/** One that runs. */
export interface Dialer extends AsyncDisposable {
  readonly pid: number
  readonly exited: Promise<{ readonly code: number | null; readonly said: string }>
}

/** What `arrivals.invite` tells, apart. */
export interface Invitation {
  readonly address: string
  readonly token: string
}

export function readInvitation(command: string): Invitation {
  const [, token = '', address = ''] = /^(?:TENDRIL_TOKEN=(\w+) )?python3 .*'([^']*)'$/.exec(command) ?? []
  return { address, token }
}

/** Runs dial.py. @param args - Its arguments. */
export function startDialer(args: readonly string[], env: Readonly<Record<string, string>> = {}): Dialer {
  return watch(spawn(anyInterpreter().command, [dialFile, ...args], optionsOf(env)))
}

/** Runs the command of an invitation in a shell. */
export function runInvitation(command: string, env: Readonly<Record<string, string>> = {}): Dialer {
  const python = command.replace(
    /^(TENDRIL_TOKEN=\w+ )?python3 /,
    (_, set = '') => `${set}exec ${anyInterpreter().command} `,
  )
  return watch(spawn('/bin/sh', ['-c', python], optionsOf(env)))
}

function optionsOf(env: Readonly<Record<string, string>>) {
  return {
    stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  }
}

function watch(child: ChildProcessByStdio<null, Readable, Readable>): Dialer {
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const gone = once(child, 'exit')
  const exited = once(child, 'close').then(([code]) => ({ code: code as number | null, said }))
  const { pid = 0 } = child
  return {
    pid,
    exited,
    [Symbol.asyncDispose]: async () => {
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // it has ended
      }
      // Not for its pipes: the worker that it has become, or started, is ended by the controller.
      await gone
    },
  }
}
