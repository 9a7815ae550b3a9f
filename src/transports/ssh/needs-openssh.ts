/** Why a host can only be reached with OpenSSH's own client: what ssh2 does not do, one question each. */
import { keyTypesInAgent } from './agent-keys.js'
import type { ResolvedHost } from './host.js'
import { hasKerberosTickets } from './kerberos.js'
import type { Identity } from './key-files.js'
import { certificateAuthorityFor } from './known-hosts.js'
import { flag, type Settings, text } from './settings.js'

// What ssh2 1.17 can do (its lib/protocol/constants.js); the package itself is loaded only to connect.
const kexOfSsh2 =
  /^(curve25519-sha256(@libssh\.org)?|ecdh-sha2-nistp(256|384|521)|diffie-hellman-group(-exchange|1|14|15|16|17|18)-sha(1|256|512))$/
const ciphersOfSsh2 =
  /^(aes(128|192|256)-(ctr|cbc)|aes(128|256)-gcm(@openssh\.com)?|chacha20-poly1305@openssh\.com|3des-cbc)$/
const macsOfSsh2 = /^(hmac-(sha1|sha2-256|sha2-512)(-96|-etm@openssh\.com)?|hmac-md5(-96)?|hmac-ripemd160)$/
const hostKeysOfSsh2 = /^(ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp(256|384|521)|rsa-sha2-(256|512))$/

type Described = Omit<ResolvedHost, 'needsOpenSsh'>

/** The first reason found, in words that follow "because of"; undefined when ssh2 can do all that is asked for. */
export async function reasonForOpenSsh(
  settings: Settings,
  host: Described,
  identities: readonly Identity[],
): Promise<string | undefined> {
  return (
    reasonInSettings(settings, host) ??
    reasonInAlgorithms(host) ??
    (host.authentications.includes('publickey') ? await reasonInKeys(settings, host, identities) : undefined) ??
    (await reasonInKerberos(host, identities)) ??
    (await reasonInKnownHosts(host))
  )
}

function reasonInSettings(settings: Settings, host: Described): string | undefined {
  if (flag(settings, 'proxyusefdpass', false) && host.proxyCommand !== undefined) return 'ProxyUseFdpass'
  if (text(settings, 'knownhostscommand') !== undefined) return 'KnownHostsCommand'
  if (flag(settings, 'nohostauthenticationforlocalhost', false)) return 'NoHostAuthenticationForLocalhost'
  if (text(settings, 'bindinterface') !== undefined) return 'BindInterface'
  if (/^(yes|true)$/i.test(text(settings, 'verifyhostkeydns') ?? '')) return 'VerifyHostKeyDNS'
  return host.authentications.includes('hostbased') ? 'HostbasedAuthentication' : undefined
}

function reasonInAlgorithms(host: Described): string | undefined {
  for (const [keyword, wanted, pattern] of [
    ['KexAlgorithms', host.kexAlgorithms, kexOfSsh2],
    ['Ciphers', host.ciphers, ciphersOfSsh2],
    ['MACs', host.macs, macsOfSsh2],
    ['HostKeyAlgorithms', host.hostKeyAlgorithms, hostKeysOfSsh2],
  ] as const) {
    if (wanted.length > 0 && !wanted.some((algorithm) => pattern.test(algorithm)))
      return `${keyword} ${wanted.join(',')}`
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
