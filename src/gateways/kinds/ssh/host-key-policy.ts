/** What a verdict on a host's key leads to, given `StrictHostKeyChecking`: go on, go on and write it down, or stop and say why. */
import { HostKeyError } from '../../../errors.js'
import { ConnectFault } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'
import { checkHostKey, fingerprint, type HostKey, nameOf, type ShownKey, type Verdict } from './known-hosts.js'
import { addHostKey } from './known-hosts-append.js'
import type { KnownHostsLine } from './known-hosts-file.js'
import { rsaBitsOf } from './rsa-bits.js'

/** What to do about a key. */
export type Decision = 'accept' | 'accept and add' | ConnectFault

/**
 * Checks the key that a host showed, and adds it where the user wants new keys to be added.
 *
 * @returns A note for the user when the key could not be written down; as with ssh the connection goes on.
 * @throws {@link ConnectFault} in phase `host key` when the host must not be talked to.
 */
export async function admitHostKey(host: ResolvedHost, key: HostKey): Promise<string | undefined> {
  const bits = rsaBitsOf(key.blob)
  if (bits !== undefined && bits < host.requiredRsaBits)
    throw refusal(
      key,
      `the ${key.type} key of ${host.destination}, ${key.fingerprint}, has ${bits} bits, and RequiredRSASize of your ssh configuration wants ${host.requiredRsaBits}`,
    )
  const decision = decideOnHostKey(host, key, await checkHostKey(host, key))
  if (decision === 'accept') return undefined
  if (decision !== 'accept and add') throw decision
  try {
    await addHostKey(host, key)
    return undefined
  } catch (error) {
    return `the key of ${host.destination} was accepted and could not be added to ${host.userKnownHostsFiles[0]}: ${String(error)}`
  }
}

/**
 * Decides. A key that has changed is refused whatever the configuration says, and `ask` is `yes`: a library has nobody
 * who could compare fingerprints.
 */
export function decideOnHostKey(host: ResolvedHost, key: ShownKey, verdict: Verdict): Decision {
  switch (verdict.kind) {
    case 'known':
      return 'accept'
    case 'unknown':
      if (host.strictHostKeyChecking === 'accept-new' || host.strictHostKeyChecking === 'no') return 'accept and add'
      return refusal(key, unknownText(host, key))
    case 'changed':
      return refusal(key, changedText(host, key, verdict.entry))
    case 'revoked':
      return refusal(
        key,
        `the ${key.type} key of ${host.destination}, ${key.fingerprint}, is marked as revoked in ${placeOf(verdict.entry)}: somebody may be using a stolen key. Ask whoever runs the host which key is right`,
      )
    case 'unreadable':
      return refusal(
        key,
        `the key of ${host.destination}, ${key.type} ${key.fingerprint}, cannot be checked: ${verdict.file} is there and cannot be read (${verdict.reason}). Make it readable, or name another file with UserKnownHostsFile`,
      )
    default:
      return unreachable(verdict)
  }
}

function unknownText(host: ResolvedHost, key: ShownKey): string {
  const [file = 'no known_hosts file is configured'] = host.userKnownHostsFiles
  const where = host.userKnownHostsFiles.length === 0 ? file : `it is not in ${file}`
  return `nobody has vouched for the ${key.type} key of ${host.destination}, ${key.fingerprint}: ${where}. Compare it with the host's own ("ssh-keygen -lf ${publicKeyFile(key)}" there); then run "${commandLine(host)}" once, or write "ssh=-o StrictHostKeyChecking=accept-new ${wordsOf(host)}"`
}

function changedText(host: ResolvedHost, key: ShownKey, entry: KnownHostsLine): string {
  const isOther = entry.type !== key.type
  const known = `${placeOf(entry)} has ${isOther ? `another kind, ${entry.type} ` : ''}${fingerprint(entry.blob)}`
  return `the key of ${host.destination} has changed: it shows ${key.type} ${key.fingerprint}, and ${known}. Somebody may be listening in, or the host was set up anew. Compare the fingerprint with the host's own ("ssh-keygen -lf ${publicKeyFile(key)}" there); if it is right, ${removal(host, entry)} and connect again`
}

/** ssh-keygen removes lines by name; it leaves those with patterns alone. */
function removal(host: ResolvedHost, entry: KnownHostsLine): string {
  const isPattern = /[*?!]/.test(entry.names)
  return isPattern
    ? `remove line ${entry.line} of ${entry.file}`
    : `run "ssh-keygen -R ${quote(nameOf(host))} -f ${quote(entry.file)}"`
}

function placeOf(entry: KnownHostsLine): string {
  return `${entry.file} line ${entry.line}`
}

function publicKeyFile(key: ShownKey): string {
  const [, name = 'ed25519'] = /^(?:ssh-)?(rsa|ed25519|ecdsa|dss)/.exec(key.type) ?? []
  return `/etc/ssh/ssh_host_${name === 'dss' ? 'dsa' : name}_key.pub`
}

function commandLine(host: ResolvedHost): string {
  return `ssh ${wordsOf(host)}`
}

function wordsOf(host: ResolvedHost): string {
  return [...host.sshArguments, host.destination].map(quote).join(' ')
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function refusal(key: ShownKey, message: string): ConnectFault {
  return new ConnectFault('host key', message, (full) => new HostKeyError(full, { fingerprint: key.fingerprint }))
}

function unreachable(verdict: never): never {
  throw new Error(`no such verdict: ${JSON.stringify(verdict)}`)
}
