/** Why `ssh` did not get to a host, told as the other engine tells it: from what it logged, never from its exit code alone. */
import { HostKeyError } from '../../../errors.js'
import { ConnectFault } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'
import { decideOnHostKey } from './host-key-policy.js'
import { checkHostKey } from './known-hosts.js'
import { loginFailure, NOBODY } from './login-failure.js'
import type { OpensshLog } from './openssh-log.js'
import { commandFault, tcpFault, unreachable, wordsOfCommand } from './unreachable.js'

const tcpErrors: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve hostname|Name or service not known/i, 'ENOTFOUND'],
  [/Connection refused/i, 'ECONNREFUSED'],
  [/(Connection|Operation) timed out|Connection timeout/i, 'ETIMEDOUT'],
  [/No route to host/i, 'EHOSTUNREACH'],
  [/Network is unreachable/i, 'ENETUNREACH'],
]

// What ssh says of a way that has ended, behind what was said there.
const ofSsh = /^((kex|ssh)_exchange_identification|banner exchange): |^Connection (closed|reset) by /

/** @param declined - A question that nobody answered, after which ssh was ended. */
export async function opensshFault(host: ResolvedHost, log: OpensshLog, declined?: string): Promise<ConnectFault> {
  const forwarding = log.said.find((line) => /open failed: |stdio forwarding failed/.test(line))
  if (forwarding !== undefined) return forwardingFault(host, log, forwarding)
  const place = whereItEnded(host, log)
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
function whereItEnded(host: ResolvedHost, { shownKeys }: OpensshLog): ResolvedHost {
  return wayTo(host)[Math.max(shownKeys.length - 1, 0)] ?? host
}

/** The host at the end of all that are jumped through. */
function wayTo(host: ResolvedHost): ResolvedHost[] {
  return [...(host.jumpHost === undefined ? [] : wayTo(host.jumpHost)), host]
}

function forwardingFault(host: ResolvedHost, { shownKeys }: OpensshLog, line: string): ConnectFault {
  const way = wayTo(host)
  const hop = way[shownKeys.length - 1]?.destination ?? 'the jump host'
  const next = way[shownKeys.length]?.destination ?? host.destination
  return unreachable(
    'connect',
    `${hop} cannot reach ${next} for us: ${quoted(line)}. Check ProxyJump, and AllowTcpForwarding on ${hop}`,
  )
}

function noSsh({ destination, needsOpenSsh = 'engine=openssh', forbidsSsh2 }: ResolvedHost): ConnectFault {
  const other = needsOpenSsh === 'engine=openssh' || forbidsSsh2 !== undefined ? '' : ', or try engine=ssh2'
  return unreachable(
    'connect',
    `${destination} needs OpenSSH's own client, for ${needsOpenSsh}, and there is no ssh on PATH. Install it${other}`,
  )
}

function connectFault(host: ResolvedHost, { said, lastWords }: OpensshLog): ConnectFault {
  const text = said.join('\n')
  if (/^spawn ssh (ENOENT|EACCES)/.test(text)) return noSsh(host)
  // What ssh itself gives up, no command has said.
  if (host.proxyCommand !== undefined && !/timed out during banner exchange/.test(text))
    return commandFault(host, wordsOfCommand(host, said.filter((line) => !ofSsh.test(line)).at(-1) ?? ''))
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
