// WebSockets that carry much, straight to the server and through a proxy that people use; and what such a proxy does: TLS, silence, its end.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Gateway, Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { thoseThatStay } from '../processes.js'
import { type Certificates, makeCertificates } from '../testbeds/certificates.js'
import { expectFault } from '../testbeds/fault.js'
import { startHaproxy } from '../testbeds/haproxy.js'
import { noHaproxy, noNginx, noOpenssl, program, titled } from '../testbeds/needs.js'
import { startNginx } from '../testbeds/nginx.js'
import { serving } from '../testbeds/serving.js'
import { type SocketServer, startSocketServer } from '../testbeds/socket-server.js'

const mebibyte = 1024 * 1024
const echo = 'for item in channel: channel.send(item)'

/** Twelve channels at once, eight MiB each way. */
async function expectToCarry(gateway: Gateway): Promise<void> {
  const item = randomBytes(mebibyte)
  const sums = Array.from({ length: 12 }, async () => {
    const channel = gateway.remoteExec<Uint8Array, Uint8Array>(echo)
    const sending = (async () => {
      for (let n = 0; n < 8; n++) await channel.send(item)
      channel.sendEnd()
    })()
    let received = 0
    for await (const back of channel) {
      expect(item.equals(back)).toBe(true)
      received += back.length
    }
    await sending
    return received
  })
  expect(await Promise.all(sums)).toEqual(Array<number>(12).fill(8 * mebibyte))
}

describe('a WebSocket straight to the server', () => {
  const urlOf = ({ spec }: SocketServer): string => spec.replace(/^socket=([^/]*)(\/\/tls)?/, toUrl)
  const toUrl = (_: string, address: string, tls?: string): string => `ws=${tls ? 'wss' : 'ws'}://${address}`

  it('carries many large items both ways', async () => {
    await using server = await startSocketServer()
    await using group = await Group.open([urlOf(server)])
    await expectToCarry(group.get(0))
  })

  it.skipIf(noOpenssl)(titled('carries them encrypted', noOpenssl), async () => {
    await using server = await startSocketServer({ args: ['--tls'] })
    await using group = await Group.open([urlOf(server)])
    await expectToCarry(group.get(0))
  })
})

it.skipIf(noHaproxy)(titled('a WebSocket through haproxy carries many large items both ways', noHaproxy), async () => {
  await using server = await startSocketServer()
  await using haproxy = await startHaproxy(server.port)
  await using group = await Group.open([`ws=${haproxy.url}//token_file=${server.folder}/token`])
  await expectToCarry(group.get(0))
})

describe.skipIf(noNginx)(titled('a WebSocket through nginx', noNginx), () => {
  let server: SocketServer
  let folder = ''
  let certificates: Certificates
  beforeAll(async () => {
    server = await startSocketServer()
    folder = mkdtempSync(join(tmpdir(), 'tendril-ws-tls-'))
    certificates = makeCertificates(folder)
  })
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const specOf = (url: string, ...keys: string[]): string =>
    [`ws=${url}`, `token_file=${server.folder}/token`, `python=${anyInterpreter().command}`, ...keys].join('//')

  it('carries many large items both ways', async () => {
    await using nginx = await startNginx({ target: server.port })
    await using group = await Group.open([specOf(nginx.url)])
    await expectToCarry(group.get(0))
  })

  it('carries them encrypted, for those who trust its authority', async () => {
    await using nginx = await startNginx({ target: server.port, certificate: certificates.good })
    await using group = await Group.open([specOf(nginx.url, `ca=${certificates.ca}`)])
    await expectToCarry(group.get(0))
  })

  it('carries them encrypted, for those who know its certificate', async () => {
    const { cert } = certificates.selfSigned
    const said = execFileSync(program('openssl'), ['x509', '-noout', '-fingerprint', '-sha256', '-in', cert])
    const fingerprint = said.toString().trim().split('=').at(-1)
    await using nginx = await startNginx({ target: server.port, certificate: certificates.selfSigned })
    await using group = await Group.open([specOf(nginx.url, `fingerprint=${fingerprint}`)])
    expect(await group.get(0).remoteExec('channel.send(6 * 7)').receive()).toBe(42)
  })

  it('to another certificate is not made', async () => {
    await using nginx = await startNginx({ target: server.port, certificate: certificates.ofAnotherName })
    await expectFault({
      spec: specOf(nginx.url, `ca=${certificates.ca}`),
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['certificate', '127.0.0.1', 'fingerprint='],
    })
  })

  const faults: readonly [string, string, readonly (string | RegExp)[]][] = [
    ['on a path that does not pass Upgrade on', '/bare', ['426', 'Upgrade', 'Connection']],
    ['on a path behind which nobody is', '/nobody', ['502', 'runs where the proxy looks for it']],
    ['on a path that there is not', '/elsewhere', ['404', 'Check the path']],
  ]
  it.each(faults)('%s is told from one that fails', async (_, path, says) => {
    await using nginx = await startNginx({ target: server.port })
    await expectFault({
      spec: specOf(nginx.url.replace('/python', path)),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says,
    })
  })

  it('without TLS, where nginx wants TLS, is told what to do', async () => {
    await using nginx = await startNginx({ target: server.port, certificate: certificates.good })
    await expectFault({
      spec: specOf(nginx.url.replace('wss:', 'ws:')),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['400 Bad Request', 'wss://'],
    })
  })

  it('settles everything when nginx goes away in the midst of items, and can be made anew', async () => {
    await using nginx = await startNginx({ target: server.port })
    await using group = new Group()
    const gateway = await group.makeGateway(specOf(nginx.url))
    const pid = await gateway.remoteExec<number>('import os; channel.send(os.getpid())').receive()
    const source = gateway.remoteExec<Uint8Array>(`while True: channel.send(b'x' * ${mebibyte})`)
    const sink = gateway.remoteExec<never, Uint8Array>('for item in channel: pass')
    const flood = (async () => {
      while (true) await sink.send(new Uint8Array(mebibyte))
    })()
    const drain = (async () => {
      while (true) await source.receive()
    })()
    const settled = Promise.allSettled([flood, drain, sink.waitClose(), gateway.newChannel().receive()])
    await source.receive()
    await nginx.restart()
    for (const each of await settled)
      expect(each).toMatchObject({ status: 'rejected', reason: { message: /closed the connection|reset|broke/ } })
    expect((await gateway.closed).reason).toBe('lost')
    expect(await thoseThatStay(() => [pid])).toEqual([])
    const next = await group.makeGateway(specOf(nginx.url))
    expect(await next.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  // Pings go out after 15 seconds; a connection without them is cut after 20, which leaves a busy machine 5.
  it('stays open where nginx cuts what is silent', async () => {
    const silent = createHttpServer()
    const sockets = new WebSocketServer({ server: silent })
    await using listening = await serving(silent)
    await using before = await startNginx({ target: listening.port, idleSeconds: 20 })
    await using nginx = await startNginx({ target: server.port, idleSeconds: 20 })
    await using group = await Group.open([specOf(nginx.url)])
    const began = performance.now()
    const other = new WebSocket(before.url)
    const cut = once(other, 'close')
    await once(other, 'open')
    await cut
    expect(performance.now() - began).toBeGreaterThan(19_500)
    expect(await group.get(0).remoteExec('channel.send("still here")').receive()).toBe('still here')
    sockets.close()
  })
})
