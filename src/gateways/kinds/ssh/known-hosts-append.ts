/** Adds a host's key to the user's known_hosts, so that several processes can do it at once and nothing else changes. */
import { randomBytes } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ResolvedHost } from './host.js'
import { type HostKey, type KnownName, nameOf } from './known-hosts.js'
import { hashName } from './known-hosts-file.js'

// What OpenSSH never writes down: such names would read as patterns, hashes or comments.
const unwritable = /[@?*#[\]|'"\\\s,!]/

/**
 * Appends the key to the first of the user's known_hosts files, which is made when it is missing (0600, its folder 0700).
 *
 * @returns The file; undefined when the configuration has none.
 * @throws Error of the file system when it cannot be written.
 */
export async function addHostKey(
  host: KnownName & Pick<ResolvedHost, 'hashKnownHosts'>,
  key: HostKey,
): Promise<string | undefined> {
  const [file] = host.userKnownHostsFiles
  if (file === undefined) return undefined
  if (unwritable.test(host.hostKeyAlias ?? host.hostname)) {
    throw new Error(`"${host.hostKeyAlias ?? host.hostname}" is no name that a known_hosts file can hold`)
  }
  const name = nameOf(host)
  const names = host.hashKnownHosts ? hashName(name, randomBytes(20)) : name
  await append(file, `${names} ${key.type} ${Buffer.from(key.blob).toString('base64')}\n`)
  return file
}

async function append(file: string, line: string): Promise<void> {
  await makeFolder(dirname(file))
  const handle = await open(file, 'a+', 0o600)
  try {
    // One write on a descriptor in append mode: lines of several processes follow each other, none is torn.
    const lead = (await endsInNewline(handle)) ? '' : '\n'
    await handle.write(lead + line)
  } finally {
    await handle.close()
  }
}

/** Node's own recursive mkdir never returns where a file system (/proc) has no room for folders. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'EEXIST') return
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
}

async function endsInNewline(handle: Awaited<ReturnType<typeof open>>): Promise<boolean> {
  const stats = await handle.stat()
  if (!stats.isFile() || stats.size === 0) return true
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, stats.size - 1)
  return buffer[0] === 0x0a
}
