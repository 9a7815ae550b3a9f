/** Why `ssh` did not get to a host, told as the other engine tells it: from what it logged, never from its exit code alone. */
import { HostKeyError } from '../../errors.js'
import { ConnectFault } from '../connecting.js'
import type { ResolvedHost } from './host.js'
import { decideOnHostKey } from './host-key-policy.js'
import { checkHostKey } from './known-hosts.js'
import { loginFailure, NOBODY } from './login-failure.js'
import type { OpensshLog } from './openssh-log.js'
import { resolveHost } from './resolve.js'
import { parseHop } from './target.js'
import { tcpFault, unreachable } from './unreachable.js'

// Resolving reads files; what it may run, such as `Match exec`, must not hold up an error.
const HOP_MS = 5000

const tcpErrors: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve hostname|Name or service not known/i, 'ENOTFOUND'],
  [/Connection refused/i, 'ECONNREFUSED'],
  [/(Connection|Operation) timed out|Connection timeout/i, 'ETIMEDOUT'],
  [/No route to host/i, 'EHOSTUNREACH'],
  [/Network is unreachable/i, 'ENETUNREACH'],
]

/** @param declined - A question that nobody answered, after which ssh was ended. */
export async function opensshFault(host: ResolvedHost, log: OpensshLog, declined?: string): Promise<ConnectFault> {
  const forwarding = log.said.find((line) => /open failed: |stdio forwarding failed/.test(line))
  if (forwarding !== undefined) return forwardingFault(host, log, forwarding)
  const place = await whereItEnded(host, log)
  if (declined !== undefined) {
    const tried = [...log.tried.filter((each) => each !== declined), `${declined} ${NOBODY}`]
    return loginFailure(place, { engine: 'openssh', offered: log.offered, tried })
  }
  if (!log.hasConnected) return connectFault(place, log)
  if (!log.isAuthenticating) return (await hostKeyFault(place, log)) ?? greetingFault(place, log)
  const isRefused = log.said.some((line) => /Permission denied \(/.test(line))
  const cause = isRefused ? {} : { cause: new Error(log.lastWords) }
  return loginFailure(place, { engine: 'openssh', offered: log.offered, tried: log.tried, ...cause })
}

/** The host, or the hop on the way to it that was reached last: each shows a key. */
async function whereItEnded(host: ResolvedHost, { shownKeys }: OpensshLog): Promise<ResolvedHost> {
  const hop = host.proxyJump[Math.max(shownKeys.length - 1, 0)]
  return hop === undefined ? host : resolveHost(parseHop(hop, host), { signal: AbortSignal.timeout(HOP_MS) })
}

function forwardingFault(
  { proxyJump, destination }: ResolvedHost,
  { shownKeys }: OpensshLog,
  line: string,
): ConnectFault {
  const hop = proxyJump[shownKeys.length - 1] ?? 'the jump host'
  const next = proxyJump[shownKeys.length] ?? destination
  return unreachable(
    'connect',
    `${hop} cannot reach ${next} for us: ${quoted(line)}. Check ProxyJump, and AllowTcpForwarding on ${hop}`,
  )
}

function connectFault(host: ResolvedHost, { said, lastWords }: OpensshLog): ConnectFault {
  const text = said.join('\n')
  const code = tcpErrors.find(([pattern]) => pattern.test(text))?.[1]
  return tcpFault(host, { ...(code === undefined ? {} : { code }), message: quoted(lastWords) })
}

/** The key as we judge it, so that both engines say the same; ssh's own verdict is the one that counts. */
async function hostKeyFault(host: ResolvedHost, { said, shownKeys }: OpensshLog): Promise<ConnectFault | undefined> {
  const shownKey = shownKeys.at(-1)
  if (shownKey === undefined || !said.some((line) => /Host key verification failed/.test(line))) return undefined
  const strict = { ...host, strictHostKeyChecking: 'yes' as const }
  const decision = decideOnHostKey(strict, shownKey, await checkHostKey(host, shownKey))
  if (typeof decision !== 'string') return decision
  const words = said.filter((line) => /key/i.test(line)).slice(0, 3)
  const message = `ssh does not trust ${host.destination}: ${words.map(quoted).join(' ')}`
  return new ConnectFault('host key', message, (full) => new HostKeyError(full, { fingerprint: shownKey.fingerprint }))
}

function greetingFault(host: ResolvedHost, { banner, lastWords }: OpensshLog): ConnectFault {
  const where = `${host.hostname} port ${host.port}`
  const [first] = banner
  if (first !== undefined)
    return unreachable('host key', `${where} is no SSH server: it said ${quoted(first)}. Check the port`)
  if (/no matching/i.test(lastWords))
    return unreachable('host key', `${where} and ssh have no algorithm in common: ${quoted(lastWords)}`)
  return unreachable(
    'host key',
    `${where} broke off: ${quoted(lastWords)}. Check that it is an SSH server, and that it lets this machine in; "ssh -v ${host.destination}" tells more`,
  )
}

function quoted(line: string): string {
  return line === '' ? 'ssh said nothing' : JSON.stringify(line)
}
