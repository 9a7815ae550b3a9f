// Logins that are refused, by the host or by us: with either engine, to a real server, one typed error that says what to do.
import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AuthenticationError, Group, HostKeyError } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { password } from '../testbeds/accounts.js'
import { startDropbear } from '../testbeds/dropbear.js'
import { expectFault } from '../testbeds/fault.js'
import { makeKey } from '../testbeds/keys.js'
import { noAccounts, noDropbear, noSshd, program, titled } from '../testbeds/needs.js'
import { type acceptKey, startSsh2Server } from '../testbeds/ssh2-server.js'
import { type Sshd, startSshd } from '../testbeds/sshd.js'

const engines = ['ssh2', 'openssh'] as const
const python = `python=${anyInterpreter().command}`
const withPassword = {
  accounts: [{ name: 'bed', hasPassword: true }],
  config: ['PasswordAuthentication yes', 'AuthenticationMethods password'],
}

async function expectWorks(spec: string, options: ConstructorParameters<typeof Group>[0] = {}): Promise<void> {
  await using group = new Group(options)
  const gateway = await group.makeGateway(`${spec}//${python}`)
  expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
}

describe.skipIf(noSshd).each(engines)(titled('a login by the %s engine', noSshd), (engine) => {
  const specOf = ({ spec }: Pick<Sshd, 'spec'>): string => `${spec}//engine=${engine}`

  it('names a key that the host does not take, and what it offers', async () => {
    await using sshd = await startSshd()
    writeFileSync(sshd.authorizedKeysFile, '')
    const error = await expectFault({
      spec: specOf(sshd),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['publickey', 'id_ed25519', sshd.user],
      server: sshd.server,
    })
    expect(error).toBeInstanceOf(AuthenticationError)
    expect(error).toMatchObject({ offered: ['publickey'] })
    appendFileSync(sshd.authorizedKeysFile, `${sshd.userKey.publicKey}\n`)
    await expectWorks(specOf(sshd))
  })

  it('names a key file that is not there', async () => {
    await using sshd = await startSshd({ clientConfig: ['IdentityFile /nowhere/id_rsa'] })
    writeFileSync(sshd.authorizedKeysFile, '')
    await expectFault({
      spec: specOf(sshd),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['/nowhere/id_rsa'],
      server: sshd.server,
    })
  })

  it('refuses a host that nobody has vouched for, with its fingerprint and the fix', async () => {
    await using sshd = await startSshd()
    writeFileSync(sshd.knownHostsFile, '')
    const error = await expectFault({
      spec: specOf(sshd),
      code: 'ERR_HOST_KEY',
      phase: 'host key',
      says: [sshd.hostKeys[0]!.fingerprint, sshd.knownHostsFile, 'accept-new'],
      server: sshd.server,
    })
    expect(error).toBeInstanceOf(HostKeyError)
    expect(error).toMatchObject({ fingerprint: sshd.hostKeys[0]!.fingerprint })
    expect(readFileSync(sshd.knownHostsFile, 'utf8')).toBe('')
  })

  it('takes a new host where that is asked for, writes its key down, and refuses another one from then on', async () => {
    await using sshd = await startSshd({ clientConfig: ['StrictHostKeyChecking accept-new'] })
    writeFileSync(sshd.knownHostsFile, '')
    chmodSync(sshd.knownHostsFile, 0o640)
    await expectWorks(specOf(sshd))
    expect(readFileSync(sshd.knownHostsFile, 'utf8')).toContain(sshd.hostKeys[0]!.publicKey)
  })

  it.each(['yes', 'accept-new', 'no'])(
    'refuses a key that has changed, with StrictHostKeyChecking %s',
    async (checking) => {
      await using sshd = await startSshd({ clientConfig: [`StrictHostKeyChecking ${checking}`] })
      const other = makeKey(join(sshd.folder, 'other'))
      const line = `[127.0.0.1]:${sshd.port} ${other.publicKey}\n`
      writeFileSync(sshd.knownHostsFile, line)
      await expectFault({
        spec: specOf(sshd),
        code: 'ERR_HOST_KEY',
        phase: 'host key',
        says: ['changed', sshd.hostKeys[0]!.fingerprint, `${sshd.knownHostsFile}`, 'ssh-keygen -R'],
        server: sshd.server,
      })
      expect(readFileSync(sshd.knownHostsFile, 'utf8')).toBe(line)
    },
  )

  describe.skipIf(noAccounts)(titled('with a password', noAccounts), () => {
    it('gets in with the right one, and asks for it once', async () => {
      await using sshd = await startSshd(withPassword)
      const asked: string[] = []
      const prompt = ({ kind, text }: { kind: string; text: string }): string => {
        asked.push(`${kind}: ${text}`)
        return password
      }
      await expectWorks(specOf(sshd), { prompt })
      expect(asked).toEqual([expect.stringMatching(/^password: .*password/i)])
    })

    it('says so when it is wrong', async () => {
      await using sshd = await startSshd(withPassword)
      const error = await expectFault({
        spec: specOf(sshd),
        code: 'ERR_AUTHENTICATION',
        phase: 'authenticate',
        says: ['password'],
        prompt: () => 'wrong',
        server: sshd.server,
      })
      expect(error).toMatchObject({ offered: ['password'] })
    })

    it('says that there is nobody to ask', async () => {
      await using sshd = await startSshd(withPassword)
      await expectFault({
        spec: specOf(sshd),
        code: 'ERR_AUTHENTICATION',
        phase: 'authenticate',
        says: ['password', /prompt|ask/],
        server: sshd.server,
      })
    })
  })

  describe.skipIf(noDropbear)(titled('to dropbear', noDropbear), () => {
    it('names a key that the host does not take', async () => {
      await using server = await startDropbear({ args: ['-s'] })
      writeFileSync(join(server.folder, 'home', 'bed', '.ssh', 'authorized_keys'), '')
      await expectFault({
        spec: specOf(server),
        code: 'ERR_AUTHENTICATION',
        phase: 'authenticate',
        says: ['publickey', 'id_ed25519'],
        server: server.server,
      })
    })
  })
})

// These run where there is no OpenSSH either.
describe('a login to the server of ssh2', () => {
  it('names a key that the host does not take, and the methods that it offers', async () => {
    await using server = await startSsh2Server({
      authenticate: (context) => context.reject(['publickey', 'hostbased']),
    })
    const error = await expectFault({
      spec: server.spec,
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['publickey', 'id_ed25519'],
    })
    expect(error).toMatchObject({ offered: expect.arrayContaining(['publickey', 'hostbased']) })
    expect(server.connections()).toBe(1)
  })

  it('says that a password is wrong', async () => {
    await using server = await startSsh2Server({
      authenticate: (context) => {
        if (context.method === 'password' && context.password === password) context.accept()
        else context.reject(['password'])
      },
    })
    const fault = { code: 'ERR_AUTHENTICATION', phase: 'authenticate', says: ['password'] } as const
    await expectFault({ spec: server.spec, ...fault, prompt: () => 'wrong' })
    await expectWorks(server.spec, { prompt: () => password })
  })

  it('says that a password has to be changed first', async () => {
    await using server = await startSsh2Server({
      authenticate: (context) => {
        if (context.method === 'password') context.requestChange('It has expired.', () => context.reject())
        else context.reject(['password'])
      },
    })
    await expectFault({
      spec: server.spec,
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['password', 'to be changed'],
      prompt: () => password,
    })
  })

  it('answers what a host asks one by one, and both its questions reach the prompt', async () => {
    await using server = await startSsh2Server({
      authenticate: (context) => {
        if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive'])
        const questions = [
          { prompt: 'Token: ', echo: true },
          { prompt: 'Password: ', echo: false },
        ]
        context.prompt(questions, (answers) => {
          if (answers.join() === `17,${password}`) context.accept()
          else context.reject()
        })
      },
    })
    const asked: unknown[] = []
    const prompt = ({ text, echo }: { text: string; echo: boolean }): string => {
      asked.push([text, echo])
      return echo ? '17' : password
    }
    await expectWorks(server.spec, { prompt })
    expect(asked).toEqual([
      ['Token', true],
      ['Password', false],
    ])
  })

  it('goes on to the password where a key is not enough', async () => {
    await using server = await startSsh2Server({
      authenticate: (context) => {
        if (context.method === 'password' && context.password === password) context.accept()
        else if (context.method === 'publickey') acceptKeyInPart(context)
        else context.reject(['publickey'])
      },
    })
    await expectWorks(server.spec, { prompt: () => password })
  })

  it('refuses a host that nobody has vouched for', async () => {
    await using server = await startSsh2Server()
    writeFileSync(server.knownHostsFile, '')
    await expectFault({
      spec: server.spec,
      code: 'ERR_HOST_KEY',
      phase: 'host key',
      says: [server.hostKeys[0]!.fingerprint],
    })
    expect(server.methods).toEqual([])
  })
})

function acceptKeyInPart(context: Parameters<typeof acceptKey>[0]): void {
  if (context.method === 'publickey' && context.signature !== undefined) context.reject(['password'], true)
  else context.accept()
}

describe.skipIf(noSshd)(titled('a program that is busy when it has logged in', noSshd), () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('logs in again when the master of OpenSSH has not waited for it', async () => {
    await using sshd = await startSshd()
    // The end of the first login is told when its master, which has waited for a client, has removed its socket.
    const wrapper = join(sshd.folder, 'ssh')
    const lines = [
      '#!/bin/sh',
      `'${program('ssh')}' "$@" || exit`,
      'for path; do test "$before" = -S && break; before=$path; done',
      `case "$*" in *ControlPersist=*) mkdir '${join(sshd.folder, 'was-late')}' 2>/dev/null || exit 0;; *) exit 0;; esac`,
      'while [ -e "$path" ]; do sleep 0.05; done',
    ]
    writeFileSync(wrapper, lines.join('\n'), { mode: 0o755 })
    vi.stubEnv('PATH', `${sshd.folder}${delimiter}${process.env['PATH'] ?? ''}`)
    await expectWorks(`${sshd.spec}//engine=openssh`)
  })
})
