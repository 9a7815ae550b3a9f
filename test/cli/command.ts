/** The built command, as a user runs it: to its end, or on a terminal of its own. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Terminal } from '../terminal.js'

export const bin: string = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url))

/** What a command came to. */
export interface Result {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `tendril` with these arguments, to its end. */
export function tendril(args: readonly string[], env: Readonly<Record<string, string>> = {}): Result {
  return spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', env: { ...process.env, ...env } })
}

/** Starts `tendril` with these arguments on a terminal. */
export function tendrilOnTerminal(...args: string[]): Terminal {
  return new Terminal([process.execPath, bin, ...args])
}
