/** Which of the key files that a configuration names are there, and what kind of key is in them; no key is opened. */
import { readFile, stat } from 'node:fs/promises'

/** A file that `IdentityFile` names. */
export interface Identity {
  readonly path: string
  /** Whether the user named it; OpenSSH has a list of its own for who names none. */
  readonly isNamed: boolean
  /** The name of its algorithm, such as `ssh-ed25519`, or `pem` for a file that tells less; undefined when there is no such key. */
  readonly type: string | undefined
  /** What the private key is encrypted with, in OpenSSH's own format; `none`, or undefined where it is not in that. */
  readonly cipher: string | undefined
}

const defaultNames = /^~[/\\]\.ssh[/\\]id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss)$/

/** The files that OpenSSH tries when none is named, as `ssh -G` prints them. */
export const defaultIdentityFiles: readonly string[] = [
  'rsa',
  'ecdsa',
  'ecdsa_sk',
  'ed25519',
  'ed25519_sk',
  'xmss',
  'dsa',
].map((name) => `~/.ssh/id_${name}`)

/** Whether nobody named these: they are OpenSSH's own list, which differs between its versions. */
export function areDefaults(files: readonly string[]): boolean {
  const most = ['~/.ssh/id_rsa', '~/.ssh/id_ecdsa', '~/.ssh/id_ed25519']
  return files.every((file) => defaultNames.test(file)) && most.every((file) => files.includes(file))
}

/** Looks at the files; of those that nobody named only the ones that exist remain. */
export async function lookAtIdentities(
  files: readonly { readonly path: string; readonly isNamed: boolean }[],
): Promise<Identity[]> {
  const identities = await Promise.all(
    files.map(async (file) => ({
      ...file,
      type: await keyTypeOf(file.path),
      cipher: openSshKeyIn(await textOf(file.path))?.cipher,
    })),
  )
  return identities.filter(({ isNamed, type }) => isNamed || type !== undefined)
}

/** The certificates that are there: those that `CertificateFile` names, and the one beside each identity. */
export async function certificatesFor(named: readonly string[], identities: readonly string[]): Promise<string[]> {
  const beside = identities.map((path) => `${path.replace(/\.pub$/, '')}-cert.pub`)
  const candidates = [...new Set([...named, ...beside])]
  const present = await Promise.all(candidates.map(isFile))
  return candidates.filter((_, index) => present[index])
}

// A key in hardware or in the agent may have left only its public half here.
async function keyTypeOf(path: string): Promise<string | undefined> {
  for (const candidate of [`${path}.pub`, path]) {
    const type = keyTypeIn(await textOf(candidate))
    if (type !== undefined) return type
  }
  return (await isFile(path)) ? 'pem' : undefined
}

function keyTypeIn(content: string): string | undefined {
  const [, word] = /^\s*((?:ssh|ecdsa|sk)-[\w@.-]+) /.exec(content) ?? []
  if (word !== undefined) return word
  return openSshKeyIn(content)?.type
}

/** What stands unencrypted at the head of OpenSSH's own format (PROTOCOL.key): magic, cipher, kdf, options, count, public key. */
function openSshKeyIn(content: string): { readonly type: string; readonly cipher: string } | undefined {
  const [, body] = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----/.exec(content) ?? []
  if (body === undefined) return undefined
  const bytes = Buffer.from(body, 'base64')
  let at = 'openssh-key-v1\0'.length
  const next = () => {
    const length = bytes.readUInt32BE(at)
    const field = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length
    return field
  }
  try {
    const cipher = next().toString('latin1')
    for (let field = 0; field < 2; field++) next()
    at += 4
    const blob = next()
    return { type: blob.toString('latin1', 4, 4 + blob.readUInt32BE(0)), cipher }
  } catch (error) {
    if (error instanceof RangeError) return undefined // cut short: whoever opens it will say so
    throw error
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return (await isFile(path)) ? await readFile(path, 'latin1') : ''
  } catch {
    return '' // not readable for us: whoever opens it will say so
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
