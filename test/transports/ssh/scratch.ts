/** What the tests of resolution share: a folder that is gone afterwards, the tools of OpenSSH, and the host a spec leads to. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { settingsFromFiles } from '../../../src/gateways/kinds/ssh/config-file.js'
import type { ResolvedHost } from '../../../src/gateways/kinds/ssh/host.js'
import { type HostKey, hostKeyOf } from '../../../src/gateways/kinds/ssh/known-hosts.js'
import { resolveHost } from '../../../src/gateways/kinds/ssh/resolve.js'
import { resolvedHostFrom } from '../../../src/gateways/kinds/ssh/resolved-host.js'
import { parseHops, parseTarget, type SshTarget } from '../../../src/specs/ssh-target.js'
import { isCi } from '../../interpreters.js'

/** A folder of its own for a test file. */
export interface Scratch {
  readonly path: string
  /** The path of a file in it. */
  at(name: string): string
  /** Writes a file and gives its path. */
  write(name: string, content: string, mode?: number): string
}

/** Makes a folder that is removed after the tests of the file. */
export function makeScratch(): Scratch {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'tendril-test-')))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  const at = (name: string) => join(path, name)
  const write = (name: string, content: string, mode = 0o600) => {
    mkdirSync(dirname(at(name)), { recursive: true })
    writeFileSync(at(name), content, { mode })
    return at(name)
  }
  return { path, at, write }
}

/** Why tests that need a tool of OpenSSH cannot run here; undefined when they can, or must because this is CI. */
export function missingTool(name: string): string | undefined {
  const { error } = spawnSync(name, ['-?'], { stdio: 'ignore' })
  return error === undefined || isCi ? undefined : `there is no ${name} here`
}

/** What ssh itself resolves. */
export function bySsh(words: string, configFile: string): Promise<ResolvedHost> {
  return resolveHost(parseTarget(words, { configFile }))
}

/** What we resolve without it. */
export async function byFiles(words: string, configFile: string): Promise<ResolvedHost> {
  return targetByFiles(parseTarget(words, { configFile }))
}

/** What we resolve without it, of what was read already. */
export async function targetByFiles(target: SshTarget): Promise<ResolvedHost> {
  return resolvedHostFrom(await settingsFromFiles(target), target, (hops) => targetByFiles(parseHops(hops, target)))
}

/** Makes a pair of keys and gives the fields of the public one. */
export function makeKey(path: string, type: string, options: readonly string[] = []): HostKey & { text: string } {
  const { status, stderr } = spawnSync(
    'ssh-keygen',
    ['-q', '-t', type, '-N', '', '-C', 'test', '-f', path, ...options],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  const [name = '', encoded = ''] = readFileSync(`${path}.pub`, 'utf8').split(' ')
  return { ...hostKeyOf(Buffer.from(encoded, 'base64')), text: `${name} ${encoded}` }
}

/** Runs a program to its end. */
export function run(
  command: string,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said.stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said.stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...said }))
  })
}
