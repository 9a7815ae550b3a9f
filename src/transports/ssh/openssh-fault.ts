/** Why `ssh` did not get to a host, told as the other engine tells it: from what it logged, never from its exit code alone. */
import type { ConnectFault } from '../connecting.js'
import type { ResolvedHost } from './host.js'
import { decideOnHostKey } from './host-key-policy.js'
import { checkHostKey } from './known-hosts.js'
import { loginFailure, NOBODY } from './login-failure.js'
import type { OpensshLog } from './openssh-log.js'
import { tcpFault, unreachable } from './unreachable.js'

const tcpErrors: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve hostname|Name or service not known/i, 'ENOTFOUND'],
  [/Connection refused/i, 'ECONNREFUSED'],
  [/(Connection|Operation) timed out|Connection timeout/i, 'ETIMEDOUT'],
  [/No route to host/i, 'EHOSTUNREACH'],
  [/Network is unreachable/i, 'ENETUNREACH'],
]

/** @param declined - A question that nobody answered, after which ssh was ended. */
export async function opensshFault(host: ResolvedHost, log: OpensshLog, declined?: string): Promise<ConnectFault> {
  const { offered, said } = log
  const tried =
    declined === undefined ? log.tried : [...log.tried.filter((each) => each !== declined), `${declined} ${NOBODY}`]
  if (declined !== undefined) return loginFailure(host, { engine: 'openssh', offered, tried })
  if (!log.hasConnected) return connectFault(host, log)
  if (!log.isAuthenticating) return (await hostKeyFault(host, log)) ?? greetingFault(host, log)
  const cause = said.some((line) => /Permission denied \(/.test(line)) ? undefined : new Error(log.lastWords)
  return loginFailure(host, { engine: 'openssh', offered, tried, cause })
}

function connectFault(host: ResolvedHost, { said, lastWords }: OpensshLog): ConnectFault {
  const text = said.join('\n')
  const code = tcpErrors.find(([pattern]) => pattern.test(text))?.[1]
  return tcpFault(host, { ...(code === undefined ? {} : { code }), message: quoted(lastWords) })
}

/** The key as we judge it, so that both engines say the same; ssh's own verdict is the one that counts. */
async function hostKeyFault(host: ResolvedHost, { said, shownKey }: OpensshLog): Promise<ConnectFault | undefined> {
  if (shownKey === undefined || !said.some((line) => /Host key verification failed/.test(line))) return undefined
  const strict = { ...host, strictHostKeyChecking: 'yes' as const }
  const decision = decideOnHostKey(strict, shownKey, await checkHostKey(host, shownKey))
  if (typeof decision !== 'string') return decision
  const words = said.filter((line) => /key/i.test(line)).slice(0, 3)
  return unreachable('host key', `ssh does not trust ${host.destination}: ${words.map(quoted).join(' ')}`)
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
