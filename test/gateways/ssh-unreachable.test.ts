// Hosts that are not there, or are no SSH server: with either engine, within the timeout, one typed error that says what to do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expectFault } from '../testbeds/fault.js'
import { Host } from '../testbeds/hosts.js'
import { findProgram, noHosts, titled } from '../testbeds/needs.js'
import { freePort } from '../testbeds/server.js'
import { serving } from '../testbeds/serving.js'
import { startSsh2Server } from '../testbeds/ssh2-server.js'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-unreachable-'))
  writeFileSync(join(folder, 'ssh_config'), 'Host *\n  IdentityAgent none\n  UserKnownHostsFile /dev/null\n')
})
afterAll(() => rmSync(folder, { recursive: true }))

const engines = findProgram('ssh') === undefined ? (['ssh2'] as const) : (['ssh2', 'openssh'] as const)

describe.each(engines)('the %s engine', (engine) => {
  const specOf = (words: string, ...keys: string[]): string =>
    [`ssh=${words}`, `ssh_config=${folder}/ssh_config`, `engine=${engine}`, ...keys].join('//')

  it('says that nothing listens on a port', async () => {
    const port = await freePort('127.0.0.1')
    await expectFault({
      spec: specOf(`-p ${port} 127.0.0.1`),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['127.0.0.1', String(port), 'refused', /[Cc]heck/],
    })
  })

  it('says that a name is not known', async () => {
    await expectFault({
      spec: specOf('nobody@no-such-host.invalid'),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'resolve',
      says: ['no-such-host.invalid', /[Cc]heck/],
    })
  })

  it('gives up on a server that takes the connection and says nothing', async () => {
    await using server = await serving(createServer(() => undefined))
    await expectFault({
      spec: specOf(`-p ${server.port} 127.0.0.1`, 'timeout=3s'),
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['127.0.0.1', 'SSH server', 'timeout='],
    })
  })

  it('gives up on a server that says its name and then nothing', async () => {
    await using server = await serving(createServer((socket) => socket.write('SSH-2.0-Sleepy_1.0\r\n')))
    await expectFault({
      spec: specOf(`-p ${server.port} 127.0.0.1`, 'timeout=3s'),
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['127.0.0.1', 'timeout='],
    })
  })

  it('says that a port speaks something else', async () => {
    await using server = await serving(createHttpServer((_, response) => response.end('hello')))
    await expectFault({
      spec: specOf(`-p ${server.port} 127.0.0.1`, 'timeout=60s'),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'host key',
      says: ['127.0.0.1', /SSH/, /HTTP|[Cc]heck/],
    })
  })

  const notOurs = engine === 'ssh2' ? undefined : 'ssh itself says nothing of it'
  it.skipIf(notOurs)(titled('says that a server has enough of logins', notOurs), async () => {
    await using server = await serving(createServer((socket) => socket.end('Exceeded MaxStartups\r\n')))
    await expectFault({
      spec: specOf(`-p ${server.port} 127.0.0.1`, 'timeout=60s'),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'host key',
      says: ['127.0.0.1', '"Exceeded MaxStartups"', 'later'],
    })
  })

  it('says that a server hangs up at once', async () => {
    await using server = await serving(createServer((socket) => socket.destroy()))
    await expectFault({
      spec: specOf(`-p ${server.port} 127.0.0.1`, 'timeout=60s'),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'host key',
      says: ['127.0.0.1'],
    })
  })

  describe.skipIf(noHosts)(titled('and a host that', noHosts), () => {
    it('drops every packet', async () => {
      await using host = Host.start()
      host.cutOff()
      await expectFault({
        spec: specOf(host.address, 'timeout=3s'),
        code: 'ERR_HOST_NOT_FOUND',
        phase: 'connect',
        says: [host.address, /[Cc]heck/, 'timeout='],
      })
    })

    it('is on no network of ours', async () => {
      await using host = Host.start()
      host.unplug()
      await expectFault({
        spec: specOf(host.address, 'timeout=10s'),
        code: 'ERR_HOST_NOT_FOUND',
        phase: 'connect',
        says: [host.address],
      })
    })
  })

  it('gives up on a host that gives no session', async () => {
    await using server = await startSsh2Server({ sessions: 'silent' })
    await expectFault({
      spec: `${server.spec}//engine=${engine}//timeout=5s`,
      code: 'ERR_BOOTSTRAP',
      phase: 'channel',
      says: ['session', 'timeout='],
    })
  })

  it('says that a host refuses every session', async () => {
    await using server = await startSsh2Server({ sessions: 'refused' })
    await expectFault({
      spec: `${server.spec}//engine=${engine}//timeout=60s`,
      code: 'ERR_BOOTSTRAP',
      phase: 'channel',
      says: ['session', 'MaxSessions'],
    })
  })

  // This server never closes a session that runs nothing; ssh waits for that, and then for the timeout.
  it.skipIf(notOurs)(titled('says that a host runs no command', notOurs), async () => {
    await using server = await startSsh2Server({ sessions: 'idle' })
    await expectFault({
      spec: `${server.spec}//engine=${engine}//timeout=60s`,
      code: 'ERR_BOOTSTRAP',
      phase: 'channel',
      says: ['command', 'ForceCommand'],
    })
  })
})
