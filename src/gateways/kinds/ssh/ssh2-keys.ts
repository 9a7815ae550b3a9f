/** The keys that a login may use, in OpenSSH's order: those of the agent that are configured, its others, then the files. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import type { BaseAgent, ParsedKey, utils } from 'ssh2'
import { asError } from '../../../thrown.js'
import type { Connecting } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'
import { fingerprint } from './known-hosts.js'
import { NOBODY } from './login-failure.js'
import { readKey } from './private-key.js'

/** A key to log in with. */
export interface LoginKey {
  /** `ed25519 SHA256:… from ~/.ssh/id_ed25519`. */
  readonly label: string
  readonly parsed: ParsedKey
  /** That which the key is in, if it is in one. */
  readonly agent: BaseAgent | undefined
}

interface Identity {
  readonly path: string
  /** The public half, where a file beside it tells. */
  readonly publicBlob: string | undefined
}

/**
 * The keys, found as they are wanted: a passphrase is asked for when its key's turn has come.
 *
 * @param note - Told of keys that cannot be used, and why.
 */
export async function* keysFor(
  host: ResolvedHost,
  connecting: Connecting,
  note: (text: string) => void,
): AsyncGenerator<LoginKey> {
  const { default: ssh2 } = await import('ssh2')
  const identities = await Promise.all(host.identityFiles.map(lookAt))
  const seen = new Set<string>()
  for (const { key, agent } of await agentKeys(host, note)) {
    const blob = blobOf(key)
    const file = identities.find(({ publicBlob }) => publicBlob === blob)?.path
    if (host.identitiesOnly && file === undefined) continue
    seen.add(blob)
    const origin = file === undefined ? 'the agent' : `the agent (${short(file)})`
    yield { label: `${describe(key)} from ${origin}`, parsed: key, agent }
  }
  for (const { path, publicBlob } of identities) {
    if (publicBlob !== undefined && seen.has(publicBlob)) continue
    const key = await openKey(path, ssh2.utils.parseKey, host, connecting)
    if (typeof key === 'string') note(`publickey ${short(path)}: ${key}`)
    else if (!seen.has(blobOf(key)))
      yield { label: `${describe(key)} from ${short(path)}`, parsed: key, agent: undefined }
  }

  async function lookAt(path: string): Promise<Identity> {
    for (const candidate of [`${path}.pub`, path]) {
      const parsed = readKey(ssh2.utils.parseKey, await readFile(candidate).catch(() => Buffer.alloc(0)))
      if (!(parsed instanceof Error)) return { path, publicBlob: blobOf(parsed) }
    }
    return { path, publicBlob: undefined }
  }
}

/** The agent's keys, the configured ones first; none where there is no agent. */
async function agentKeys(
  { identityAgent, identityFiles }: ResolvedHost,
  note: (text: string) => void,
): Promise<{ readonly key: ParsedKey; readonly agent: BaseAgent }[]> {
  if (identityAgent === undefined) return []
  const { default: ssh2 } = await import('ssh2')
  const agent = ssh2.createAgent(identityAgent)
  const keys = await new Promise<ParsedKey[]>((resolve) => {
    agent.getIdentities((error, found) => {
      if (error) note(`the agent at ${identityAgent}: ${error.message}`)
      resolve((found ?? []) as ParsedKey[]) // OpenSSH's agent gives them parsed
    })
  })
  const ranks = new Map<string, number>()
  for (const [rank, path] of identityFiles.entries()) {
    const data = await readFile(`${path.replace(/\.pub$/, '')}.pub`).catch(() => Buffer.alloc(0))
    const parsed = readKey(ssh2.utils.parseKey, data)
    if (!(parsed instanceof Error)) ranks.set(blobOf(parsed), rank)
  }
  const rankOf = (key: ParsedKey): number => ranks.get(blobOf(key)) ?? ranks.size
  return [...keys].sort((a, b) => rankOf(a) - rankOf(b)).map((key) => ({ key, agent }))
}

/** The key in a file, or why there is none. */
async function openKey(
  path: string,
  parse: typeof utils.parseKey,
  host: ResolvedHost,
  connecting: Connecting,
): Promise<ParsedKey | string> {
  let data: Buffer
  try {
    data = await readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return code === 'ENOENT' ? 'no such file' : `cannot be read: ${asError(error).message}`
  }
  let parsed = readKey(parse, data)
  for (let turn = 0; parsed instanceof Error && /encrypted|passphrase/i.test(parsed.message); turn++) {
    if (turn === host.passwordPrompts) return 'the passphrase was wrong'
    if (host.batchMode) return 'it has a passphrase, and BatchMode asks nobody'
    const text = `Passphrase of ${short(path)}`
    const passphrase = await connecting.ask({ kind: 'passphrase', from: path, text, echo: false })
    if (passphrase === undefined) return `it has a passphrase ${NOBODY}`
    parsed = readKey(parse, data, passphrase)
  }
  if (parsed instanceof Error) return `cannot be used: ${parsed.message}`
  return parsed.isPrivateKey() ? parsed : 'is only the public half'
}

function blobOf(key: ParsedKey): string {
  return key.getPublicSSH().toString('base64')
}

function describe(key: ParsedKey): string {
  return `${key.type.replace(/^ssh-/, '')} ${fingerprint(key.getPublicSSH())}`
}

function short(path: string): string {
  const home = homedir()
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path
}
