/**
 * What the known_hosts files say of a host's key, decided as OpenSSH decides it (check_key_in_hostkeys of hostfile.c and
 * check_host_key of sshconnect.c). `CheckHostIP` is off, as it is by default: addresses are not looked up.
 */
import { createHash } from 'node:crypto'
import type { ResolvedHost } from './host.js'
import { type KnownHostsLine, linesAbout, mayNameAuthority, typeOfKey, UnreadableFile } from './known-hosts-file.js'

/** A key that a host showed, as far as it must be known to recognize it. */
export interface ShownKey {
  /** The key's own name, `ssh-rsa` also for a host that signs with rsa-sha2-512. */
  readonly type: string
  readonly fingerprint: string
}

/** A key that a host showed. */
export interface HostKey extends ShownKey {
  /** As it goes over the wire: algorithm, then its numbers. */
  readonly blob: Uint8Array
}

/** Reads a key as it goes over the wire. */
export function hostKeyOf(blob: Uint8Array): HostKey {
  return { type: typeOfKey(blob) ?? 'unknown', fingerprint: fingerprint(blob), blob }
}

/** What of a host decides which lines speak of it. */
export type KnownName = Pick<
  ResolvedHost,
  'hostname' | 'port' | 'hostKeyAlias' | 'userKnownHostsFiles' | 'globalKnownHostsFiles'
>

/** What the files say: `changed` when they list other keys for the host and not this one, of whatever kind those are. */
export type Verdict =
  | { readonly kind: 'known' | 'changed' | 'revoked'; readonly entry: KnownHostsLine }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unreadable'; readonly file: string; readonly reason: string }

/** Looks a key up. A certificate is never known: authorities are not consulted. */
export async function checkHostKey(host: KnownName, key: ShownKey): Promise<Verdict> {
  try {
    const verdict = judge(await allLinesAbout(nameOf(host), host), key)
    if (verdict.kind !== 'unknown' || !hasPortForm(host)) return verdict
    // A key under the name alone is good for every port; one that differs there says nothing about this port.
    const withoutPort = judge(await allLinesAbout(host.hostname.toLowerCase(), host), key)
    return withoutPort.kind === 'known' ? withoutPort : verdict
  } catch (error) {
    if (error instanceof UnreadableFile) return { kind: 'unreadable', file: error.file, reason: error.message }
    throw error
  }
}

/**
 * The kinds of keys listed for a host, without repeats: a host that has one of these is asked for it, as another kind
 * would count as changed. Empty when a file cannot be read, which `checkHostKey` then reports.
 */
export async function knownKeyTypes(host: KnownName): Promise<string[]> {
  const lines = await unlessUnreadable(() => allLinesAbout(nameOf(host), host))
  return [...new Set(lines.filter(({ marker }) => marker === undefined).map(({ type }) => type))]
}

/** The authority that vouches for a host for which no key is listed; undefined when there is none, or a key is listed. */
export async function certificateAuthorityFor(host: KnownName): Promise<KnownHostsLine | undefined> {
  const files = [...host.userKnownHostsFiles, ...host.globalKnownHostsFiles]
  const lines = await unlessUnreadable(async () => {
    const isThere = (await Promise.all(files.map(mayNameAuthority))).includes(true)
    return isThere ? allLinesAbout(nameOf(host), host) : []
  })
  if (lines.some(({ marker }) => marker === undefined)) return undefined
  return lines.find(({ marker }) => marker === 'cert-authority')
}

/** The fingerprint of a key, as OpenSSH prints it. */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** The name that known_hosts files have for a host: the alias, or the host with its port unless that is 22. */
export function nameOf(host: KnownName): string {
  if (host.hostKeyAlias !== undefined) return host.hostKeyAlias.toLowerCase()
  const hostname = host.hostname.toLowerCase()
  return hasPortForm(host) ? `[${hostname}]:${host.port}` : hostname
}

function hasPortForm(host: KnownName): boolean {
  return host.hostKeyAlias === undefined && host.port !== 22
}

async function unlessUnreadable(find: () => Promise<KnownHostsLine[]>): Promise<KnownHostsLine[]> {
  try {
    return await find()
  } catch (error) {
    if (error instanceof UnreadableFile) return []
    throw error
  }
}

async function allLinesAbout(name: string, host: KnownName): Promise<KnownHostsLine[]> {
  const files = [...host.userKnownHostsFiles, ...host.globalKnownHostsFiles]
  return (await Promise.all(files.map((file) => linesAbout(name, file)))).flat()
}

function judge(lines: readonly KnownHostsLine[], key: ShownKey): Verdict {
  const isSame = ({ blob }: KnownHostsLine) => fingerprint(blob) === key.fingerprint
  const revoked = lines.find((line) => line.marker === 'revoked' && isSame(line))
  if (revoked !== undefined) return { kind: 'revoked', entry: revoked }
  const listed = lines.filter(({ marker }) => marker === undefined)
  const same = listed.find(isSame)
  if (same !== undefined) return { kind: 'known', entry: same }
  // The line of the same kind is the one to look at first; OpenSSH names the last of all.
  const other = listed.filter((line) => line.type === key.type).at(-1) ?? listed.at(-1)
  return other === undefined ? { kind: 'unknown' } : { kind: 'changed', entry: other }
}
