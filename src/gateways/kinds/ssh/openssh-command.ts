/** The command lines of `ssh`: what the user configured, and over it what a gateway needs to be otherwise. */
import { wordsWithout } from '../../../specs/ssh-target.js'
import type { ResolvedHost } from './host.js'

const KEEPALIVE_SECONDS = 15
const KEEPALIVE_COUNT = 3

/** What the configuration may ask for and a gateway cannot do with; some of it older versions do not know. */
function plain({ ignoreUnknown }: ResolvedHost): string[] {
  // The first line wins, so that of the user must be in it.
  const unknown = ['SessionType', 'StdinNull', 'ForkAfterAuthentication', ignoreUnknown]
  return [
    `IgnoreUnknown=${unknown.filter((each) => each !== undefined).join()}`,
    'RemoteCommand=none',
    'RequestTTY=no',
    'StdinNull=no',
    'ForkAfterAuthentication=no',
    'ClearAllForwardings=yes',
    'PermitLocalCommand=no',
  ]
}

/**
 * Logs in, then stays in the background as the master of a control socket for one to two seconds beyond its last client:
 * ssh counts whole seconds of its clock, so that one of them may be over at once.
 */
export function masterCommand(host: ResolvedHost, path: string): string[] {
  const { strictHostKeyChecking: checking, serverAliveInterval, serverAliveCountMax } = host
  return [
    'ssh',
    '-v',
    ...options([
      ...plain(host),
      'ControlMaster=yes',
      'ControlPersist=2',
      // Nobody compares fingerprints here, and `no` would go on with a key that has changed.
      `StrictHostKeyChecking=${checking === 'yes' || checking === 'ask' ? 'yes' : 'accept-new'}`,
      ...(serverAliveInterval === undefined ? [`ServerAliveInterval=${KEEPALIVE_SECONDS}`] : []),
      ...(serverAliveCountMax === undefined ? [`ServerAliveCountMax=${KEEPALIVE_COUNT}`] : []),
    ]),
    ...wordsWithout(host.sshArguments, ['-q', '-S']),
    '-N',
    '-T',
    ...socketAt(path),
    '--',
    host.destination,
  ]
}

/** Runs a command in a session of a master. It never logs in by itself, as ssh does when a master refuses. */
export function sessionCommand(host: ResolvedHost, path: string, command: string): string[] {
  return [
    'ssh',
    ...options([...plain(host), 'SessionType=default', 'ControlMaster=no', 'ProxyCommand=false', 'LogLevel=ERROR']),
    ...wordsWithout(host.sshArguments, ['-q', '-S', '-J']),
    '-T',
    ...socketAt(path),
    '--',
    host.destination,
    command,
  ]
}

function options(lines: readonly string[]): string[] {
  return lines.flatMap((line) => ['-o', line])
}

function socketAt(path: string): string[] {
  return ['-S', path.replaceAll('%', '%%')]
}
