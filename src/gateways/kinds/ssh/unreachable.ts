/** Hosts that are not reached, in words: one fault for a cause, whoever noticed it. */
import { HostNotFoundError, type Phase } from '../../../errors.js'
import { ConnectFault } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'

/** Why there is no TCP connection, from the code of the system's error. */
export function tcpFault(
  { destination, hostname, port, sshArguments }: ResolvedHost,
  error: { readonly code?: string; readonly message?: string },
): ConnectFault {
  const where = `${hostname} port ${port}`
  const check = `Try "${['ssh', ...sshArguments, destination].join(' ')}" by hand`
  switch (error.code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return unreachable(
        'resolve',
        `there is no host ${JSON.stringify(hostname)} (for "${destination}"). Check its spelling, and HostName in the ssh configuration`,
      )
    case 'ECONNREFUSED':
      return unreachable(
        'connect',
        `${where} refused the connection: no SSH server listens there. Check the port (ssh=-p PORT ${destination}), and that sshd runs`,
      )
    case 'ETIMEDOUT':
      return unreachable(
        'connect',
        `${where} does not answer. Check that the host is up and that nothing filters the port. ${check}`,
      )
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return unreachable(
        'connect',
        `there is no way to ${where} (${error.code}). Check the network, or name a ProxyJump. ${check}`,
      )
    default:
      return unreachable('connect', `cannot connect to ${where}: ${error.message ?? error.code}. ${check}`)
  }
}

/** A ProxyCommand ended before a server answered. @param words - What it said of that, as `wordsOfCommand` has it. */
export function commandFault({ hostname, port, proxyCommand }: ResolvedHost, words: string): ConnectFault {
  const way = `the way to ${hostname} port ${port} ended before it answered${words === '' ? '' : `: ${words}`}`
  return unreachable('connect', `${way}. Run ${JSON.stringify(proxyCommand)} by hand to see more`)
}

/** What a ProxyCommand said last; nothing when that was nothing. */
export function wordsOfCommand({ destination }: ResolvedHost, said: string): string {
  const last = said.trim().split('\n').at(-1)
  return last === '' ? '' : `the ProxyCommand of ${destination} said ${JSON.stringify(last)}`
}

/** A host that is not reached. @param message - What happened, where, and what to do. */
export function unreachable(phase: Phase, message: string): ConnectFault {
  return new ConnectFault(phase, message, (full) => new HostNotFoundError(full, { phase }))
}

/** A host is there, and ssh2 has none of its algorithms of some kind. Nobody has tried to log in. */
export class NoCommonAlgorithm extends ConnectFault {
  constructor({ hostname, port }: ResolvedHost, { message: detail }: Error) {
    const message = `${hostname} port ${port} and ssh2 have no algorithm in common (${detail}). Try //engine=openssh`
    super('host key', message, (full) => new HostNotFoundError(full, { phase: 'host key' }))
  }
}

/** Somebody is there, and says something that is not SSH. */
export function greetingFault({ hostname, port }: ResolvedHost, said: string): ConnectFault {
  const where = `${hostname} port ${port}`
  const quoted = JSON.stringify(said.trim())
  if (/^(Exceeded MaxStartups|Not allowed at this time)/.test(said))
    return unreachable(
      'host key',
      `${where} takes no further logins for now: it said ${quoted}. Try again later; there, MaxStartups and PerSourcePenalties of sshd_config decide`,
    )
  return unreachable('host key', `${where} is no SSH server: it said ${quoted}. Check the port`)
}
