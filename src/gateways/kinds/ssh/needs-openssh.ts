/** Why a host can only be reached with OpenSSH's own client: what ssh2 does not do, one question each. */
import { isIP } from 'node:net'
import { keyTypesInAgent } from './agent-keys.js'
import { ciphers, hostKeyAlgorithms, kexAlgorithms, knownTo, macs } from './algorithms.js'
import type { ResolvedHost } from './host.js'
import { hasKerberosTickets } from './kerberos.js'
import type { Identity } from './key-files.js'
import { certificateAuthorityFor } from './known-hosts.js'
import { flag, type Settings, text } from './settings.js'

type Described = Omit<ResolvedHost, 'needsOpenSsh' | 'forbidsSsh2'>

/** The first reason found, in words that follow "because of"; undefined when ssh2 can do all that is asked for. */
export async function reasonForOpenSsh(
  settings: Settings,
  host: Described,
  identities: readonly Identity[],
): Promise<string | undefined> {
  return (
    reasonInRevocations(settings) ??
    reasonInSettings(settings, host) ??
    reasonInAlgorithms(host) ??
    (host.authentications.includes('publickey') ? await reasonInKeys(settings, host, identities) : undefined) ??
    (await reasonInKerberos(host, identities)) ??
    (await reasonInKnownHosts(host)) ??
    reasonInJumpHost(host)
  )
}

/** What of that nobody may pass over: it says which hosts, and which algorithms, are not to be trusted. */
export function reasonAgainstSsh2(settings: Settings, host: Described): string | undefined {
  return reasonInRevocations(settings) ?? reasonInAlgorithms(host) ?? host.jumpHost?.forbidsSsh2
}

function reasonInRevocations(settings: Settings): string | undefined {
  return text(settings, 'revokedhostkeys') === undefined ? undefined : 'RevokedHostKeys'
}

function reasonInSettings(settings: Settings, host: Described): string | undefined {
  if (flag(settings, 'proxyusefdpass', false) && host.proxyCommand !== undefined) return 'ProxyUseFdpass'
  if (text(settings, 'knownhostscommand') !== undefined) return 'KnownHostsCommand'
  if (checksAddress(settings, host)) return 'CheckHostIP'
  if (flag(settings, 'nohostauthenticationforlocalhost', false)) return 'NoHostAuthenticationForLocalhost'
  if (text(settings, 'bindinterface') !== undefined) return 'BindInterface'
  if (host.bindAddress !== undefined && isIP(host.bindAddress) === 0) return `BindAddress ${host.bindAddress}`
  if (text(settings, 'refuseconnection') !== undefined) return 'RefuseConnection'
  if (text(settings, 'kbdinteractivedevices') !== undefined && host.authentications.includes('keyboard-interactive'))
    return 'KbdInteractiveDevices'
  if (/^(yes|true)$/i.test(text(settings, 'verifyhostkeydns') ?? '')) return 'VerifyHostKeyDNS'
  return host.authentications.includes('hostbased') ? 'HostbasedAuthentication' : undefined
}

/** `CheckHostIP`, which until 8.5 everybody had; a keyword that came with that version tells them apart. */
function checksAddress(settings: Settings, { hostname, jumpHost, proxyCommand }: Described): boolean {
  if (!flag(settings, 'checkhostip', false) || !settings.has('pubkeyacceptedalgorithms')) return false
  return isIP(hostname) === 0 && jumpHost === undefined && proxyCommand === undefined
}

function reasonInAlgorithms(host: Described): string | undefined {
  for (const [keyword, wanted, supported] of [
    ['KexAlgorithms', host.kexAlgorithms, kexAlgorithms],
    ['Ciphers', host.ciphers, ciphers],
    ['MACs', host.macs, macs],
    ['HostKeyAlgorithms', host.hostKeyAlgorithms, hostKeyAlgorithms],
  ] as const) {
    if (wanted.length > 0 && knownTo(supported, wanted).length === 0) return `${keyword} ${wanted.join(',')}`
  }
  return undefined
}

async function reasonInKeys(
  settings: Settings,
  host: Described,
  identities: readonly Identity[],
): Promise<string | undefined> {
  const provider = text(settings, 'pkcs11provider')
  if (provider !== undefined) return `PKCS#11 provider ${provider}`
  const [certificate] = host.certificateFiles
  if (certificate !== undefined) return `certificate ${certificate}`
  const named = identities.find(({ isNamed, type }) => isNamed && isSecurityKey(type))
  if (named !== undefined) return `security key ${named.path}`
  const locked = identities.find(({ cipher }) => cipher === 'chacha20-poly1305@openssh.com')
  if (locked !== undefined) return `key ${locked.path}, which is encrypted with ${locked.cipher}`
  // With IdentitiesOnly the agent gives no key but those of the files, which were looked at already.
  const inAgent =
    host.identityAgent === undefined || host.identitiesOnly ? [] : await keyTypesInAgent(host.identityAgent)
  if (inAgent.some(isCertificate)) return 'a certificate in the agent'
  const types = [...inAgent, ...identities.map(({ type }) => type)].filter((type) => type !== undefined)
  return types.length > 0 && types.every(isSecurityKey) ? 'security keys, and no key of another kind' : undefined
}

async function reasonInKerberos(host: Described, identities: readonly Identity[]): Promise<string | undefined> {
  // Asked of klist in any case: OpenSSH tries GSSAPI before keys, and keys for other hosts are no reason against it.
  if (!host.authentications.includes('gssapi-with-mic')) return undefined
  return (await hasKerberosTickets(identities.some(({ type }) => type !== undefined))) ? 'GSSAPI' : undefined
}

function reasonInJumpHost({ jumpHost }: Described): string | undefined {
  return jumpHost?.needsOpenSsh && `${jumpHost.needsOpenSsh} of the jump host ${jumpHost.destination}`
}

/** A host that only an authority vouches for shows a certificate to OpenSSH, which ssh2 cannot read. */
async function reasonInKnownHosts(host: Described): Promise<string | undefined> {
  const authority = await certificateAuthorityFor(host)
  return authority && `the host certificates of ${authority.file} line ${authority.line}`
}

function isCertificate(type: string | undefined): boolean {
  return type?.includes('-cert-') === true
}

function isSecurityKey(type: string | undefined): boolean {
  return type?.startsWith('sk-') === true
}
