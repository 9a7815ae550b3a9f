// Host keys are judged as OpenSSH judges them: its own client, against a real sshd, says what a verdict must be.
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { userInfo } from 'node:os'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  checkHostKey,
  fingerprint,
  type KnownName,
  knownKeyTypes,
} from '../../../src/gateways/kinds/ssh/known-hosts.js'
import { isCi } from '../../interpreters.js'
import { findProgram, titled } from '../../testbeds/needs.js'
import { makeKey, makeScratch, missingTool, run } from './scratch.js'

const scratch = makeScratch()
const sshd = findProgram('sshd')
const noSshd = isCi || sshd !== undefined ? undefined : 'there is no sshd here'
const noKeygen = missingTool('ssh-keygen')
const without = noKeygen ?? missingTool('ssh') ?? noSshd

type Kind = 'ed25519' | 'rsa' | 'ecdsa'
type Key = ReturnType<typeof makeKey>
let keys: Record<Kind | 'other' | 'otherRsa', Key>
const algorithms: Record<Kind, string> = { ed25519: 'ssh-ed25519', rsa: 'rsa-sha2-512', ecdsa: 'ecdsa-sha2-nistp256' }

beforeAll(() => {
  if (noKeygen !== undefined) return
  keys = {
    ed25519: makeKey(scratch.at('host_ed25519'), 'ed25519'),
    rsa: makeKey(scratch.at('host_rsa'), 'rsa', ['-b', '2048']),
    ecdsa: makeKey(scratch.at('host_ecdsa'), 'ecdsa'),
    other: makeKey(scratch.at('other'), 'ed25519'),
    otherRsa: makeKey(scratch.at('other_rsa'), 'rsa', ['-b', '2048']),
  }
  const hostKeys = (['ed25519', 'rsa', 'ecdsa'] as const).map((kind) => `HostKey ${scratch.at(`host_${kind}`)}`)
  scratch.write('sshd_config', [...hostKeys, 'StrictModes no', 'AuthorizedKeysFile none', ''].join('\n'))
  // sshd drops its rights into this folder; the package makes it when the service starts, which it does not here.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
})

let files = 0

/** A host called `host` whose known_hosts files have these lines. */
function hostKnownBy(lines: string, more: Partial<KnownName> & { readonly globalLines?: string } = {}): KnownName {
  const { globalLines = '', ...rest } = more
  return {
    hostname: 'host',
    port: 22,
    hostKeyAlias: undefined,
    userKnownHostsFiles: [scratch.write(`known-${files++}`, lines)],
    globalKnownHostsFiles: [scratch.write(`known-${files++}`, globalLines)],
    ...rest,
  }
}

/** What the real client makes of a host that shows a key of this kind: the same words as our verdicts. */
async function verdictOfSsh(host: KnownName, kind: Kind): Promise<{ kind: string; place?: string | undefined }> {
  // A copy: where the key is new, ssh adds it.
  const user = host.userKnownHostsFiles.map((file, index) =>
    scratch.write(`copy-${files++}-${index}`, readFileSync(file, 'utf8')),
  )
  const { stderr } = await run('ssh', [
    ...['-F', 'none', '-p', String(host.port), '-o', `ProxyCommand=${sshd} -i -f ${scratch.at('sshd_config')}`],
    ...[
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=accept-new',
      '-o',
      'CheckHostIP=no',
      '-o',
      'IdentityAgent=none',
    ],
    ...[
      '-o',
      `UserKnownHostsFile=${user.join(' ')}`,
      '-o',
      `GlobalKnownHostsFile=${host.globalKnownHostsFiles.join(' ')}`,
    ],
    ...['-o', `HostKeyAlgorithms=${algorithms[kind]}`, '-o', 'IdentityFile=none'],
    ...(host.hostKeyAlias === undefined ? [] : ['-o', `HostKeyAlias=${host.hostKeyAlias}`]),
    ...['--', host.hostname, 'true'],
  ])
  if (stderr.includes('Permanently added')) return { kind: 'unknown' }
  if (stderr.includes('REVOKED HOST KEY')) return { kind: 'revoked' }
  const place = /Offending \S+ key in (.*)/.exec(stderr)?.[1]
  if (place !== undefined) {
    const copy = user.findIndex((file) => place.startsWith(`${file}:`))
    return {
      kind: 'changed',
      place: copy < 0 ? place : place.replace(user[copy] ?? '', host.userKnownHostsFiles[copy] ?? ''),
    }
  }
  // Nobody may log in; that it came to logging in says that the key was accepted.
  if (stderr.includes('Permission denied')) return { kind: 'known' }
  throw new Error(stderr)
}

async function ourVerdict(host: KnownName, kind: Kind): Promise<{ kind: string; place?: string }> {
  const verdict = await checkHostKey(host, keys[kind])
  if (verdict.kind !== 'changed') return { kind: verdict.kind }
  return { kind: 'changed', place: `${verdict.entry.file}:${verdict.entry.line}` }
}

const hash = (name: string) => `|1|c2FsdHNhbHRzYWx0c2FsdHNhbHQ=|${name}`

interface Case {
  readonly lines: () => string
  readonly more?: Partial<KnownName> & { readonly globalLines?: string }
  readonly shows?: Kind
  readonly verdict: string
}

const port = { port: 2222 }
const cases: Readonly<Record<string, Case>> = {
  'nothing at all': { lines: () => '', verdict: 'unknown' },
  'the key': { lines: () => `host ${keys.ed25519.text}\n`, verdict: 'known' },
  'the key without a final newline': { lines: () => `# x\n\nhost ${keys.ed25519.text}`, verdict: 'known' },
  'the key with a comment and blanks': {
    lines: () => `\t host  ${keys.ed25519.text} me@here # x\r\n`,
    verdict: 'known',
  },
  'another key': { lines: () => `\nhost ${keys.other.text}\n`, verdict: 'changed' },
  'a key of another kind only': { lines: () => `host ${keys.rsa.text}\n`, verdict: 'changed' },
  'another key and the key': { lines: () => `host ${keys.other.text}\nhost ${keys.ed25519.text}\n`, verdict: 'known' },
  'an RSA key, which signs under another name': {
    lines: () => `host ${keys.rsa.text}\n`,
    shows: 'rsa',
    verdict: 'known',
  },
  'another RSA key': {
    lines: () => `host ${keys.ecdsa.text}\nhost ${keys.otherRsa.text}\n`,
    shows: 'rsa',
    verdict: 'changed',
  },
  'the key of another host': { lines: () => `host2 ${keys.ed25519.text}\n`, verdict: 'unknown' },
  'a list of names': { lines: () => `a,HOST,b ${keys.ed25519.text}\n`, verdict: 'known' },
  'a pattern': { lines: () => `h?s* ${keys.ed25519.text}\n`, verdict: 'known' },
  'a pattern with too few letters': { lines: () => `host? ${keys.ed25519.text}\n`, verdict: 'unknown' },
  'a pattern and its negation': { lines: () => `*,!host ${keys.ed25519.text}\n`, verdict: 'unknown' },
  'a pattern for another key': { lines: () => `* ${keys.other.text}\n`, verdict: 'changed' },
  'the key under the port': { lines: () => `[host]:2222 ${keys.ed25519.text}\n`, more: port, verdict: 'known' },
  'another key under the port': { lines: () => `[host]:2222 ${keys.other.text}\n`, more: port, verdict: 'changed' },
  'the key under no port': { lines: () => `host ${keys.ed25519.text}\n`, more: port, verdict: 'known' },
  'another key under no port': { lines: () => `host ${keys.other.text}\n`, more: port, verdict: 'unknown' },
  'the key under another port': { lines: () => `[host]:2223 ${keys.ed25519.text}\n`, more: port, verdict: 'unknown' },
  'a pattern that takes the port in': { lines: () => `*:2222 ${keys.ed25519.text}\n`, more: port, verdict: 'known' },
  'the key revoked': {
    lines: () => `host ${keys.ed25519.text}\n@revoked * ${keys.ed25519.text}\n`,
    verdict: 'revoked',
  },
  'the key revoked and nothing else': { lines: () => `@revoked host ${keys.ed25519.text}\n`, verdict: 'revoked' },
  'another key revoked': {
    lines: () => `host ${keys.ed25519.text}\n@revoked host ${keys.other.text}\n`,
    verdict: 'known',
  },
  'the key revoked under no port': {
    lines: () => `@revoked host ${keys.ed25519.text}\n`,
    more: port,
    verdict: 'unknown',
  },
  'an authority': { lines: () => `@cert-authority * ${keys.other.text}\n`, verdict: 'unknown' },
  'the key as an authority': { lines: () => `@cert-authority * ${keys.ed25519.text}\n`, verdict: 'unknown' },
  'a marker that there is not': { lines: () => `@trusted host ${keys.ed25519.text}\n`, verdict: 'unknown' },
  'a key that is cut short': { lines: () => `host ${keys.ed25519.text.slice(0, 20)}\n`, verdict: 'unknown' },
  'a key under the name of another kind': {
    lines: () => `host ssh-rsa ${keys.ed25519.text.split(' ')[1]}\n`,
    verdict: 'unknown',
  },
  'a hash of another host': {
    lines: () => `${hash('AAAAAAAAAAAAAAAAAAAAAAAAAAA=')} ${keys.other.text}\n`,
    verdict: 'unknown',
  },
  'a hash that is none': { lines: () => `|1|x ${keys.other.text}\n|2|a|b ${keys.other.text}\n`, verdict: 'unknown' },
  'the key in the global file': { lines: () => '', more: {}, verdict: 'known' },
  'another key in the global file': { lines: () => '', more: {}, verdict: 'changed' },
  'the alias': {
    lines: () => `alias ${keys.ed25519.text}\n`,
    more: { ...port, hostKeyAlias: 'ALIAS' },
    verdict: 'known',
  },
  'the host, but not its alias': {
    lines: () => `host,[host]:2222 ${keys.ed25519.text}\n`,
    more: { ...port, hostKeyAlias: 'alias' },
    verdict: 'unknown',
  },
  'the alias with a port': {
    lines: () => `[alias]:2222 ${keys.ed25519.text}\n`,
    more: { ...port, hostKeyAlias: 'alias' },
    verdict: 'unknown',
  },
}

describe.skipIf(without !== undefined)(titled('checkHostKey', without), () => {
  it.concurrent.each(Object.entries(cases))(
    'says what OpenSSH says where the files have %s',
    async (name, { lines, more = {}, shows = 'ed25519', verdict }) => {
      const globalLines = !name.includes('global')
        ? ''
        : `host ${(verdict === 'known' ? keys.ed25519 : keys.other).text}\n`
      const host = hostKnownBy(lines(), { ...more, globalLines })
      const ours = await ourVerdict(host, shows)
      expect(ours.kind).toBe(verdict)
      expect(ours).toEqual(await verdictOfSsh(host, shows))
    },
  )
})

describe.skipIf(noKeygen !== undefined)(titled('known_hosts files', noKeygen), () => {
  it('may be hashed by ssh-keygen -H', async () => {
    const host = hostKnownBy(`host ${keys.ed25519.text}\n[host]:2222 ${keys.rsa.text}\nother ${keys.other.text}\n`)
    const { code } = await run('ssh-keygen', ['-H', '-f', host.userKnownHostsFiles[0] ?? ''])
    expect(code).toBe(0)
    expect(readFileSync(host.userKnownHostsFiles[0] ?? '', 'utf8')).not.toContain('host')
    expect(await checkHostKey(host, keys.ed25519)).toMatchObject({ kind: 'known', entry: { line: 1 } })
    expect(await checkHostKey({ ...host, port: 2222 }, keys.rsa)).toMatchObject({ kind: 'known', entry: { line: 2 } })
    expect(await checkHostKey({ ...host, hostname: 'OTHER' }, keys.rsa)).toMatchObject({
      kind: 'changed',
      entry: { line: 3 },
    })
  })

  it('tell which kinds of keys a host has', async () => {
    const host = hostKnownBy(
      `host ${keys.rsa.text}\n@revoked host ${keys.other.text}\n@cert-authority host ${keys.other.text}\n`,
      {
        globalLines: `host ${keys.ecdsa.text}\nhost ${keys.otherRsa.text}\nhost2 ${keys.other.text}\n`,
      },
    )
    expect(await knownKeyTypes(host)).toEqual(['ssh-rsa', 'ecdsa-sha2-nistp256'])
  })

  it('may be missing, every one of them', async () => {
    const missing = { userKnownHostsFiles: [scratch.at('a/b/c')], globalKnownHostsFiles: [] }
    expect(await checkHostKey({ ...hostKnownBy(''), ...missing }, keys.ed25519)).toEqual({ kind: 'unknown' })
  })

  it('allow nothing when one of them is there and cannot be read', async () => {
    mkdirSync(scratch.at('folder'))
    symlinkSync(scratch.at('loop'), scratch.at('loop'))
    for (const file of [scratch.at('folder'), scratch.at('loop')]) {
      const host = hostKnownBy(`host ${keys.ed25519.text}\n`, { globalKnownHostsFiles: [file] })
      expect(await checkHostKey(host, keys.ed25519)).toMatchObject({
        kind: 'unreadable',
        file,
        reason: /^E(ISDIR|LOOP)/,
      })
      expect(await knownKeyTypes(host)).toEqual([])
    }
  })
})

describe.skipIf(noKeygen !== undefined)('fingerprint', () => {
  it('is what ssh-keygen -l prints', async () => {
    const { stdout } = await run('ssh-keygen', ['-l', '-f', scratch.at('host_ed25519.pub')])
    expect(stdout.split(' ')[1]).toBe(fingerprint(keys.ed25519.blob))
  })
})
