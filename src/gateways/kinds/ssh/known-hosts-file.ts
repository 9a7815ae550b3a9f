/** The lines of known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) and which of them speak of a host. */
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/** A line with a key that can be read; OpenSSH passes over all others. */
export interface KnownHostsLine {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  readonly marker: 'revoked' | 'cert-authority' | undefined
  /** As written: names and patterns with commas between them, or a hash. */
  readonly names: string
  /** The key's own algorithm, such as `ssh-rsa`. */
  readonly type: string
  readonly blob: Uint8Array
}

/** Thrown for a file that is there and cannot be read: what it forbids is not known, so nothing may be allowed. */
export class UnreadableFile extends Error {
  readonly file: string

  constructor(file: string, options: { readonly cause: Error }) {
    super(options.cause.message, options)
    this.file = file
  }
}

/**
 * The lines of a file that speak of a host; none when there is no such file.
 *
 * @param name - The host, with its port as `[host]:port` unless that is 22.
 * @throws {@link UnreadableFile} when the file exists and cannot be read.
 */
export async function linesAbout(name: string, file: string): Promise<KnownHostsLine[]> {
  const content = await contentOf(file)
  const lines: KnownHostsLine[] = []
  for (const [index, text] of content.split('\n').entries()) {
    // Names first: in a file of thousands hardly any line is about this host, and keys cost more to read.
    const { marker, names, type, encoded } = fieldsOf(text)
    if (names === undefined || type === undefined || encoded === undefined || !speaksOf(name, names)) continue
    const blob = Buffer.from(encoded, 'base64')
    if (typeOfKey(blob) === type) lines.push({ file, line: index + 1, marker, names, type, blob })
  }
  return lines
}

/** Whether a file may name an authority. Cheaper than its lines, where names are hashed. */
export async function mayNameAuthority(file: string): Promise<boolean> {
  return (await contentOf(file)).includes('@cert-authority')
}

/** The algorithm that a public key names in its own first field; undefined when it is cut short. */
export function typeOfKey(blob: Uint8Array): string | undefined {
  if (blob.length < 4) return undefined
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  const length = bytes.readUInt32BE(0)
  return length > 0 && 4 + length <= bytes.length ? bytes.toString('latin1', 4, 4 + length) : undefined
}

/** A name as `HashKnownHosts` writes it. */
export function hashName(name: string, salt: Uint8Array): string {
  const hash = createHmac('sha1', salt).update(name).digest('base64')
  return `|1|${Buffer.from(salt).toString('base64')}|${hash}`
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1')
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if ('code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return ''
    throw new UnreadableFile(file, { cause: error })
  }
}

interface Fields {
  readonly marker?: KnownHostsLine['marker']
  readonly names?: string | undefined
  readonly type?: string | undefined
  readonly encoded?: string | undefined
}

function fieldsOf(text: string): Fields {
  const words = text.trim().split(/[ \t]+/)
  const first = words[0] ?? ''
  if (first.startsWith('#')) return {}
  if (!first.startsWith('@')) return { names: words[0], type: words[1], encoded: words[2] }
  const marker = first === '@revoked' ? 'revoked' : first === '@cert-authority' ? 'cert-authority' : undefined
  return marker === undefined ? {} : { marker, names: words[1], type: words[2], encoded: words[3] }
}

function speaksOf(name: string, names: string): boolean {
  if (names.startsWith('|')) return matchesHash(name, names)
  let isNamed = false
  for (const pattern of names.toLowerCase().split(',')) {
    const isNegated = pattern.startsWith('!')
    if (!matchesPattern(name, isNegated ? pattern.slice(1) : pattern)) continue
    if (isNegated) return false
    isNamed = true
  }
  return isNamed
}

function matchesHash(name: string, hashed: string): boolean {
  const [, version, salt = ''] = hashed.split('|')
  return version === '1' && hashName(name, Buffer.from(salt, 'base64')) === hashed
}

/** `*` and `?` of ssh_config(5), PATTERNS; everything else stands for itself, brackets too. */
export function matchesPattern(name: string, pattern: string): boolean {
  if (!/[*?]/.test(pattern)) return name === pattern
  let at = 0
  let star = -1
  let taken = 0
  // Only the last star gives letters back, so many stars cost no more than one: a regular expression would try them all.
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === '*') {
      star = at++
      taken = index
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[index])) {
      at++
      index++
    } else if (star >= 0) {
      at = star + 1
      index = ++taken
    } else return false
  }
  return /^\**$/.test(pattern.slice(at))
}
