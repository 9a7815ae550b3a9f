/** Asks the system's own `ssh` what it would do: `ssh -G`, which reads the configuration and connects to nothing. */
import { HostNotFoundError } from '../../../errors.js'
import type { SshTarget } from '../../../specs/ssh-target.js'
import { ConnectFault } from '../../../transports/connecting.js'
import { runProgram } from './program.js'
import { parseSettings, type Settings } from './settings.js'

/**
 * The settings for a target; undefined when there is no `ssh` on PATH.
 *
 * @param signal - Ends the process: the configuration may run commands (`Match exec`) that never return.
 * @throws {@link ConnectFault} that quotes what ssh says of the configuration.
 */
export async function askSsh(target: SshTarget, signal: AbortSignal): Promise<Settings | undefined> {
  const outcome = await runProgram(['ssh', '-T', '-N', '-G', ...target.words, '--', target.destination], signal)
  if (outcome === undefined) return undefined
  if (outcome.exitCode === 0) return parseSettings(outcome.stdout)
  const message = `ssh cannot work out how to reach ${target.destination}: ${quoted(outcome.stderr, outcome.exitCode)}. ${advice(outcome.stderr, target)}`
  throw new ConnectFault('resolve', message, (full) => new HostNotFoundError(full, { phase: 'resolve' }))
}

/** The lines that say what is wrong, without the one that only counts them. */
function quoted(stderr: string, exitCode: number | undefined): string {
  const lines = stderr
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !/: terminating, \d+ bad configuration/.test(line))
  const [first = ''] = lines
  if (first === '')
    return exitCode === undefined ? 'it was ended by a signal' : `it exited with code ${exitCode} and said nothing`
  return first.startsWith('usage:')
    ? 'it does not know one of the options'
    : lines
        .slice(0, 3)
        .map((line) => `"${line.trim()}"`)
        .join(', ')
}

function advice(stderr: string, target: SshTarget): string {
  if (stderr.includes('command-line')) return 'Correct the option in the spec'
  if (/\bline \d+/.test(stderr)) return 'Correct that line'
  return `Try "ssh -G ${[...target.words, target.destination].join(' ')}"`
}
