// What `ssh -G` prints, read back: the real ssh on configuration files of our own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, utimesSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { HostNotFoundError } from '../../../src/errors.js'
import { resolveHost } from '../../../src/gateways/kinds/ssh/resolve.js'
import { parseTarget } from '../../../src/specs/ssh-target.js'
import { ConnectFault } from '../../../src/transports/connecting.js'
import { errorOf } from '../../failing.js'
import { isGone, thoseThatStay } from '../../processes.js'
import { bySsh, makeKey, makeScratch, missingTool } from './scratch.js'

const scratch = makeScratch()
const why = missingTool('ssh')
const unset = '$' + '{NOT_SET_ANYWHERE}'
let files = 0

/** Resolves `words` under a configuration of these lines. */
function resolved(words: string, ...lines: string[]) {
  return bySsh(words, scratch.write(`config-${files++}`, `${lines.join('\n')}\n`))
}

async function faultOf(promise: Promise<unknown>): Promise<ConnectFault> {
  const outcome = await errorOf(promise)
  if (!(outcome instanceof ConnectFault)) throw new Error(`no fault, but ${String(outcome)}`)
  return outcome
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe.skipIf(why !== undefined)(`resolveHost${why === undefined ? '' : ` (${why})`}`, () => {
  it('follows Host, Match and Include', async () => {
    const included = scratch.write('included', 'Match user deploy\n  Port 2201\n')
    const host = await resolved('deploy@web1', 'Host web*', '  HostName %h.example.com', `  Include ${included}`)
    expect(host).toMatchObject({ hostname: 'web1.example.com', port: 2201, user: 'deploy', destination: 'deploy@web1' })
  })

  it('lets the words of the spec win', async () => {
    const host = await resolved('-p 2202 -o User=me web1', 'Port 2201', 'User you')
    expect(host).toMatchObject({ port: 2202, user: 'me' })
  })

  it('fills in the defaults of OpenSSH', async () => {
    vi.stubEnv('SSH_AUTH_SOCK', undefined)
    expect(await resolved('web1')).toMatchObject({
      hostname: 'web1',
      port: 22,
      identitiesOnly: false,
      identityAgent: undefined,
      forwardAgent: undefined,
      jumpHost: undefined,
      proxyCommand: undefined,
      globalKnownHostsFiles: ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
      strictHostKeyChecking: 'ask',
      hashKnownHosts: false,
      serverAliveInterval: undefined,
      serverAliveCountMax: 3,
      connectTimeout: undefined,
      addressFamily: 'any',
      authentications: ['publickey', 'keyboard-interactive', 'password'],
      controlPath: undefined,
      environment: {},
      needsOpenSsh: undefined,
    })
  })

  it.each([
    ['yes', 'yes'],
    ['no', 'no'],
    ['off', 'no'],
    ['ask', 'ask'],
    ['accept-new', 'accept-new'],
  ])('reads StrictHostKeyChecking %s', async (written, strictHostKeyChecking) => {
    expect(await resolved('web1', `StrictHostKeyChecking ${written}`)).toMatchObject({ strictHostKeyChecking })
  })

  it('keeps keys that the user named, and of the default ones those that exist', async () => {
    const missing = scratch.at('missing')
    expect((await resolved('web1', `IdentityFile ${missing}`)).identityFiles).toEqual([missing])
    expect((await resolved(`-i ${missing} web1`)).identityFiles[0]).toBe(missing)
    expect((await resolved('web1')).identityFiles.filter((path) => !existsSync(path))).toEqual([])
    expect((await resolved('web1', 'IdentityFile none')).identityFiles).toEqual([])
  })

  it('expands tokens in the names of keys and in ProxyCommand', async () => {
    const host = await resolved(
      'me@web1',
      'HostName web1.example.com',
      `IdentityFile ${scratch.path}/%r@%n-%h`,
      'ProxyCommand nc %h %p %% %r',
    )
    expect(host.identityFiles).toEqual([`${scratch.path}/me@web1-web1.example.com`])
    expect(host.proxyCommand).toBe('nc web1.example.com 22 % me')
  })

  it('splits lists of known_hosts files although ssh prints them without quotes', async () => {
    scratch.write('with blank', '')
    const list = `"${scratch.at('with blank')}" ${scratch.at('other')} "${scratch.at('not there')}"`
    const host = await resolved('web1', `UserKnownHostsFile ${list}`, 'GlobalKnownHostsFile none')
    expect(host.userKnownHostsFiles).toEqual([scratch.at('with blank'), scratch.at('other'), scratch.at('not there')])
    expect(host.globalKnownHostsFiles).toEqual([])
  })

  it.each([
    ['none', undefined],
    ['SSH_AUTH_SOCK', '/run/agent'],
    ['$OTHER', '/run/other'],
    ['$NOT_SET_ANYWHERE', undefined],
    ['/run/%n', '/run/web1'],
  ])('reads IdentityAgent %s', async (written, identityAgent) => {
    vi.stubEnv('SSH_AUTH_SOCK', '/run/agent')
    vi.stubEnv('OTHER', '/run/other')
    const host = await resolved('-A web1', `IdentityAgent ${written}`)
    expect(host).toMatchObject({ identityAgent, forwardAgent: identityAgent })
  })

  it('reads hops, variables, times and methods', async () => {
    const lines = [
      'Match host web1',
      'ProxyJump a@b:22,ssh://c',
      'SetEnv A=1 B="x y"',
      'ConnectTimeout 1m',
      'ServerAliveInterval 7',
      'PasswordAuthentication no',
    ]
    expect(await resolved('web1', ...lines)).toMatchObject({
      jumpHost: { destination: 'c', jumpHost: { destination: 'a@b', port: 22, jumpHost: undefined } },
      environment: { A: '1', B: 'x y' },
      connectTimeout: 60,
      serverAliveInterval: 7,
      authentications: ['publickey', 'keyboard-interactive'],
    })
  })

  it('asks nobody in batch mode, and does not take what Debian sets then for a wish', async () => {
    const host = await resolved('web1', 'BatchMode yes')
    expect(host).toMatchObject({ batchMode: true, authentications: ['publickey'], serverAliveInterval: undefined })
  })

  it.each([
    ['ConnectTimeout 0', { connectTimeout: undefined }],
    ['ConnectTimeout 30d', { connectTimeout: 2_592_000 }],
    ['ConnectionAttempts 3', { connectionAttempts: 3 }],
    ['ServerAliveInterval 30d', { serverAliveInterval: 2_592_000 }],
    ['NumberOfPasswordPrompts 1', { passwordPrompts: 1 }],
    ['RequiredRSASize 3072', { requiredRsaBits: 3072 }],
    ['ControlMaster auto', { controlPath: '/run/x' }],
    ['ControlMaster yes', { controlPath: undefined }], // it is to be made anew
  ])('reads %s', async (written, expected) => {
    expect(await resolved('web1', written, 'ControlPath /run/x')).toMatchObject(expected)
  })

  it('knows that keepalive is off only from the spec', async () => {
    expect((await resolved('web1', 'ServerAliveInterval 0')).serverAliveInterval).toBeUndefined()
    expect((await resolved('-o ServerAliveInterval=0 web1')).serverAliveInterval).toBe(0)
  })

  it.each([
    [['Foo bar'], /line 1: Bad configuration option: foo/],
    [['Host x', '  Port many'], /line 2: Bad port 'many'/],
    [['Match foo bar'], /Bad Match condition/],
    [[`IdentityFile ${unset}/key`], /NOT_SET_ANYWHERE/],
  ])('quotes what is wrong with %j', async (lines, text) => {
    const fault = await faultOf(resolved('x', ...lines))
    expect(fault.phase).toBe('resolve')
    expect(fault.errorFor('gw0 (ssh=x)')).toBeInstanceOf(HostNotFoundError)
    expect(fault.message).toMatch(text)
  })

  it('quotes what is wrong with an option of the spec', async () => {
    const { message } = await faultOf(resolved('-o Foo=1 web1'))
    expect(message).toMatch(/Bad configuration option: foo.*Correct the option in the spec/)
  })

  it('says how a port is given when one stands behind the host', async () => {
    expect((await faultOf(resolved('me@web1:2222'))).message).toContain('ssh=-p 2222 me@web1')
  })

  it('asks once for many, and again when the file has changed', async () => {
    const path = scratch.write('changing', 'Port 2201\n')
    const many = Array.from({ length: 20 }, () => bySsh('web1', path))
    expect(new Set(await Promise.all(many)).size).toBe(1)
    scratch.write('changing', 'Port 2202\n')
    utimesSync(path, 1, 1)
    expect((await bySsh('web1', path)).port).toBe(2202)
  })

  it('ends a command of Match exec that never returns when nobody waits any more', async () => {
    const [pipe, script] = [scratch.at('pipe'), scratch.at('hang')]
    spawnSync('mkfifo', [pipe])
    scratch.write('hang', `#!/bin/sh\necho $$ > ${pipe}\nexec sleep 1000\n`, 0o700)
    const target = parseTarget('web1', { configFile: scratch.write('hanging', `Match exec ${script}\n  Port 1\n`) })
    const [first, second] = [new AbortController(), new AbortController()]
    const waiting = [first, second].map(({ signal }) => resolveHost(target, { signal }))
    const pid = Number(await readFile(pipe, 'utf8'))
    first.abort(new Error('not any more'))
    await expect(waiting[0]).rejects.toThrow('not any more')
    expect(isGone(pid)).toBe(false)
    second.abort(new Error('nor I'))
    await expect(waiting[1]).rejects.toThrow('nor I')
    expect(await thoseThatStay(() => [pid])).toEqual([])
  })

  it('reads the files itself when there is no ssh', async () => {
    const empty = scratch.at('empty')
    mkdirSync(empty)
    const configFile = scratch.write('without-ssh', 'Port 2203\n')
    vi.stubEnv('PATH', empty)
    expect(await bySsh('web1', configFile)).toMatchObject({ port: 2203, kexAlgorithms: [] })
  })
})

describe.skipIf(why !== undefined)('needsOpenSsh', () => {
  it('is asked for by what ssh2 cannot do', async () => {
    for (const [lines, reason] of [
      [['ProxyCommand x', 'ProxyUseFdpass yes'], 'ProxyUseFdpass'],
      [['PKCS11Provider /x.so'], 'PKCS#11 provider /x.so'],
      [['KexAlgorithms sntrup761x25519-sha512@openssh.com'], 'KexAlgorithms sntrup761x25519-sha512@openssh.com'],
      [['MACs umac-64@openssh.com'], 'MACs umac-64@openssh.com'],
      [['KnownHostsCommand /bin/true'], 'KnownHostsCommand'],
      [['HostbasedAuthentication yes'], 'HostbasedAuthentication'],
      [['RevokedHostKeys /x'], 'RevokedHostKeys'],
      [['CheckHostIP yes'], 'CheckHostIP'],
      [['CheckHostIP yes', 'ProxyCommand x'], undefined],
      [['BindAddress localhost'], 'BindAddress localhost'],
      [['BindAddress 127.0.0.1'], undefined],
      [['KbdInteractiveDevices pam'], 'KbdInteractiveDevices'],
      [['KbdInteractiveDevices pam', 'KbdInteractiveAuthentication no'], undefined],
      [
        ['Match host web1', 'ProxyJump b', 'Match host b', 'KnownHostsCommand /bin/true'],
        'KnownHostsCommand of the jump host b',
      ],
      [['KexAlgorithms +diffie-hellman-group1-sha1'], undefined],
      [['PKCS11Provider /x.so', 'PubkeyAuthentication no'], undefined],
    ] as const) {
      expect((await resolved('web1', ...lines)).needsOpenSsh).toBe(reason)
    }
  })

  it('is asked for by a certificate, named or beside the key', async () => {
    const key = scratch.at('certified')
    makeKey(key, 'ed25519')
    expect((await resolved('web1', `IdentityFile ${key}`)).needsOpenSsh).toBeUndefined()
    const beside = scratch.write('certified-cert.pub', '')
    const host = await resolved('web1', `IdentityFile ${key}`, 'Compression no')
    expect(host).toMatchObject({ needsOpenSsh: `certificate ${beside}`, certificateFiles: [beside] })
    const named = await resolved('web1', 'IdentityFile none', `CertificateFile ${beside}`)
    expect(named.needsOpenSsh).toBe(`certificate ${beside}`)
    expect((await resolved('web1', `CertificateFile ${scratch.at('nowhere')}`)).needsOpenSsh).toBeUndefined()
  })

  it('is asked for by a security key that the user named', async () => {
    const type = 'sk-ssh-ed25519@openssh.com'
    scratch.write('security.pub', `${type} ${Buffer.from(type).toString('base64')} me\n`)
    const host = await resolved('web1', `IdentityFile ${scratch.at('security')}`)
    expect(host.needsOpenSsh).toBe(`security key ${scratch.at('security')}`)
  })

  it('is asked for by a host that only an authority vouches for', async () => {
    const { text } = makeKey(scratch.at('authority'), 'ed25519')
    const known = scratch.write('known-authority', `@cert-authority web* ${text}\n`)
    const lines = [`UserKnownHostsFile ${known}`, 'GlobalKnownHostsFile none']
    expect((await resolved('web1', ...lines)).needsOpenSsh).toBe(`the host certificates of ${known} line 1`)
    expect((await resolved('db1', ...lines)).needsOpenSsh).toBeUndefined()
    scratch.write('known-authority', `@cert-authority web* ${text}\nweb1 ${text}\n`)
    expect((await resolved('web1', ...lines)).needsOpenSsh).toBeUndefined()
  })

  it('is asked for by Kerberos tickets, not by GSSAPIAuthentication alone', async () => {
    const klist = scratch.write('bin/klist', '#!/bin/sh\ntest -e "$TICKETS"\n', 0o700)
    vi.stubEnv('PATH', `${scratch.at('bin')}:${process.env['PATH']}`)
    vi.stubEnv('KRB5CCNAME', 'KCM:')
    expect((await resolved('web1', 'GSSAPIAuthentication yes')).needsOpenSsh).toBeUndefined()
    vi.stubEnv('TICKETS', klist)
    expect((await resolved('web1', 'GSSAPIAuthentication yes')).needsOpenSsh).toBe('GSSAPI')
    expect((await resolved('web1', 'GSSAPIAuthentication no')).needsOpenSsh).toBeUndefined()
  })
})
