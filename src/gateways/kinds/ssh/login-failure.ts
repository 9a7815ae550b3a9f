/** A login that was refused, in words: what the host takes, what was tried, what to do. The failure that people meet most. */
import { AuthenticationError } from '../../../errors.js'
import { ConnectFault } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'

// Servers hang up after this many (MaxAuthTries of sshd_config(5)).
const MANY_TRIES = 6

/** What is put behind a method when its question was left open. */
export const NOBODY = '(nobody answered)'

/** A login as far as it got. */
export interface LoginRecord {
  readonly engine: 'ssh2' | 'openssh'
  /** The methods that the host offered. */
  readonly offered: readonly string[]
  /** What was tried, in order, each with what came of it where that is known. */
  readonly tried: readonly string[]
  /** What ended it, if it was not that everything had been tried. */
  readonly cause?: Error | undefined
}

/** Why nobody was let in. */
export function loginFailure(host: ResolvedHost, { engine, offered, tried, cause }: LoginRecord): ConnectFault {
  const { destination, user, hostname, needsOpenSsh, batchMode } = host
  const takes = offered.length === 0 ? 'did not say what it takes' : `takes ${offered.join(', ')}`
  const hadTried = tried.length === 0 ? 'there was nothing to try' : `tried ${tried.join('; ')}`
  const ended = cause === undefined ? '' : ` (it ended with: ${cause.message})`
  const hints = [
    `load the right key with ssh-add or name it: ssh=-i FILE ${destination}`,
    ...(tried.some((each) => each.includes(NOBODY))
      ? ['give the group a prompt that answers (the CLI asks on a terminal)']
      : []),
    ...(batchMode ? ['BatchMode is on, so nobody is asked'] : []),
    ...(needsOpenSsh === undefined || engine === 'openssh' ? [] : [`//engine=openssh can use the ${needsOpenSsh}`]),
    ...(tried.length >= MANY_TRIES ? ['servers hang up after some tries (MaxAuthTries): use IdentitiesOnly'] : []),
    `"ssh -v ${destination}" shows what OpenSSH does`,
  ]
  const message = `${user}@${hostname} did not let us in: it ${takes}; ${hadTried}${ended}. What to do: ${hints.join('; ')}`
  return new ConnectFault('authenticate', message, (full) => new AuthenticationError(full, { offered, tried }))
}
