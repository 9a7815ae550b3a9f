// What may stand at the other end of ws=, and what becomes of a WebSocket that is open: one typed error that says where it ended and what to do.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Channel, type Gateway, type GatewayEnd, Group } from '../../src/index.js'
import { proof } from '../../src/transports/socket/handshake.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { thoseThatStay } from '../processes.js'
import { expectFault, expectUsable } from '../testbeds/fault.js'
import { noOpenssl, titled } from '../testbeds/needs.js'
import { freePort } from '../testbeds/server.js'
import { serving } from '../testbeds/serving.js'
import { type SocketServer, startSocketServer } from '../testbeds/socket-server.js'
import { CLOSE, CONTINUATION, encodeFrame, FrameParser, PING, TEXT } from '../transports/websocket/frames.js'
import { Tap } from '../transports/websocket/tap.js'

const token = 'the-token-that-we-have-here'
let folder = ''
let tokenFile = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-ws-client-'))
  tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
})
afterAll(() => rmSync(folder, { recursive: true }))

const specOf = (port: number, ...keys: string[]): string =>
  [`ws=ws://127.0.0.1:${port}/python`, `token_file=${tokenFile}`, ...keys].join('//')

/** What an HTTP server says that has no WebSocket. */
function answering(status: number, headers: Record<string, string> = {}) {
  const answer = (response: ServerResponse): void => void response.writeHead(status, headers).end('hello')
  const server = createHttpServer((_, response) => answer(response))
  server.on('upgrade', (_, socket: Duplex) => {
    socket.end(`HTTP/1.1 ${status} \r\n${Object.entries(headers).map((each) => `${each.join(': ')}\r\n`)}\r\n`)
  })
  return server
}

const accepted = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'

/** A server that upgrades, and does as it likes from there; each message of the client's is given to `onMessage`. */
function upgrading(onMessage: (socket: Duplex, message: string, count: number) => void, head?: string) {
  const server = createHttpServer()
  server.on('upgrade', ({ headers }, socket: Duplex) => {
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    socket.on('error', () => undefined)
    socket.write(head ?? `${accepted}Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`)
    const parser = new FrameParser()
    let count = 0
    socket.on('data', (chunk: Buffer) => {
      for (const { payload } of parser.push(chunk)) onMessage(socket, payload.toString('latin1'), count++)
    })
  })
  return server
}

const plain = { mask: undefined }
const nonce = '42'.repeat(32)
const greet = (line: string): string =>
  `TENDRIL 1 ${nonce} ${proof(token, 'server', [line.split(/[ \n]/)[2] ?? '', nonce])}\n`

describe('a URL to which', () => {
  it('nobody listens', async () => {
    await expectFault({
      spec: specOf(await freePort('127.0.0.1')),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['ws://127.0.0.1', 'no server listens', 'tendril serve'],
    })
  })

  const statuses: readonly [number, Record<string, string>, readonly string[]][] = [
    [200, {}, ['200 OK', 'Check the path', 'wss://']],
    [301, { Location: 'https://elsewhere.test/' }, ['301 Moved Permanently', 'https://elsewhere.test/', 'the URL']],
    [403, {}, ['403 Forbidden', 'the proxy', 'tendril serve']],
    [404, {}, ['404 Not Found', 'Check the path']],
    [426, {}, ['426 Upgrade Required', 'Upgrade']],
    [502, {}, ['502 Bad Gateway', 'runs where the proxy looks for it']],
  ]
  it.each(statuses)('an HTTP server answers %d', async (status, headers, says) => {
    await using server = await serving(answering(status, headers))
    const { port } = server
    await expectFault({
      spec: specOf(port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: [`ws://127.0.0.1:${port}/python`, ...says],
    })
  })

  const others: readonly [string, (socket: Socket) => void, readonly (string | RegExp)[]][] = [
    ['says what is no HTTP', (socket) => void socket.end('220 smtp.test ESMTP\r\n'), ['does not speak HTTP', 'port']],
    ['hangs up at once', (socket) => void socket.end(), [/hung up/, 'tendril serve', 'wss://']],
    ['breaks the connection', (socket) => void socket.resetAndDestroy(), [/hung up/, 'tendril serve']],
    ['hangs up within its answer', (socket) => void socket.end(accepted), [/hung up/, 'tendril serve']],
    [
      'has not read the request',
      (socket) => void socket.write(`${accepted}Sec-WebSocket-Accept: ${'x'.repeat(27)}=\r\n\r\n`),
      ['Sec-WebSocket-Accept', 'tendril serve'],
    ],
  ]
  it.each(others)('somebody listens who %s', async (_, speak, says) => {
    await using server = await serving(createServer((socket) => void socket.once('data', () => speak(socket))))
    await expectFault({ spec: specOf(server.port), code: 'ERR_HOST_NOT_FOUND', phase: 'connect', says })
  })

  it('somebody answers with an extension that nobody asked for', async () => {
    const server = createHttpServer()
    server.on('upgrade', ({ headers }, socket: Duplex) => {
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      const lines = `${accepted}Sec-WebSocket-Accept: ${accept.digest('base64')}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n`
      expect(headers['sec-websocket-extensions']).toBeUndefined()
      socket.on('error', () => undefined)
      socket.write(`${lines}\r\n`)
    })
    await using listening = await serving(server)
    await expectFault({
      spec: specOf(listening.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['Sec-WebSocket-Extensions', 'tendril serve'],
    })
  })

  it('somebody takes the connection and says nothing', async () => {
    await using server = await serving(createServer(() => undefined))
    await expectFault({
      spec: specOf(server.port, 'timeout=1s'),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['WebSocket', `127.0.0.1:${server.port}`, 'timeout='],
    })
  })

  it('somebody upgrades and says nothing', async () => {
    await using server = await serving(upgrading(() => undefined))
    await expectFault({
      spec: specOf(server.port, 'timeout=1s'),
      code: 'ERR_BOOTSTRAP',
      phase: 'authenticate',
      says: [`127.0.0.1:${server.port}`, 'timeout='],
    })
  })
})

describe('TLS', () => {
  it.skipIf(noOpenssl)(titled('that the server wants and the URL does not have is named', noOpenssl), async () => {
    await using server = await startSocketServer({ token, args: ['--tls'] })
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['hung up', 'wss://'],
    })
  })

  it('that the server does not have is named', async () => {
    await using server = await startSocketServer({ token })
    await expectFault({
      spec: specOf(server.port).replace('ws://', 'wss://'),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['does not speak TLS', 'wss://'],
    })
  })

  it.skipIf(noOpenssl)(titled('with a certificate that nobody vouches for is refused', noOpenssl), async () => {
    await using server = await startSocketServer({ token, args: ['--tls'] })
    await expectFault({
      spec: specOf(server.port).replace('ws://', 'wss://'),
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['certificate', 'ca=', 'fingerprint='],
    })
  })
})

describe('a server behind the upgrade', () => {
  it('that has another token hears nothing of what was to be started', async () => {
    await using server = await startSocketServer()
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['does not know the token', 'token_file=', 'nothing of yours was sent'],
    })
    expect(server.workers()).toEqual([])
  })

  it('that refuses us is taken at its word', async () => {
    const words = [greet, () => 'TENDRIL 1 refused\n']
    await using server = await serving(
      upgrading((socket, line, count) => socket.write(encodeFrame(words[count]?.(line) ?? '', plain))),
    )
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['refused us', 'its log tells'],
    })
  })

  const rules: readonly [string, () => Uint8Array, RegExp][] = [
    ['text', () => encodeFrame('TENDRIL 1 ', { ...plain, opcode: TEXT }), /text/],
    ['messages beyond all measure', () => encodeFrame(Buffer.alloc(3_000_000), plain), /Max payload size/],
    [
      'the length of such a message',
      () => encodeFrame(Buffer.alloc(3_000_000), plain).subarray(0, 20),
      /Max payload size/,
    ],
    ['one message in countless pieces', () => pieces(5000), /[Ff]ragments/],
    ['masked messages', () => encodeFrame('TENDRIL 1 '), /MASK/],
    ['compressed messages', () => Buffer.from([0xc2, 1, 0]), /RSV1/],
    ['a continuation of nothing', () => encodeFrame('TENDRIL', { ...plain, opcode: CONTINUATION }), /opcode/],
    ['a line without end', () => encodeFrame('x'.repeat(1000), plain), /it said "xxx/],
  ]
  it.each(rules)('that sends %s is left', async (_, bytes, says) => {
    await using server = await serving(upgrading((socket) => void socket.write(bytes())))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: [says, 'is reached', /Check/],
    })
  })

  const ends: readonly [string, (socket: Duplex, line: string, count: number) => void, RegExp][] = [
    ['at once', (socket) => void socket.end(), /it hung up/],
    ['at once, with a close', (socket) => void socket.end(encodeFrame('', { ...plain, opcode: CLOSE })), /it hung up/],
    ['within its greeting', (socket) => void socket.end(encodeFrame('TENDRIL', plain)), /hung up after "TENDRIL"/],
    ['within a frame', (socket) => void socket.end(encodeFrame('TENDRIL', plain).subarray(0, 5)), /hung up/],
    [
      'after its greeting',
      (socket, line, count) => (count === 0 ? socket.write(encodeFrame(greet(line), plain)) : socket.end()),
      /it hung up/,
    ],
  ]
  it.each(ends)('that hangs up %s is told of', async (_, onMessage, says) => {
    await using server = await serving(upgrading(onMessage))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: [says, 'tendril serve'],
    })
  })

  it('that hangs up instead of a worker is told of, with what it said', async () => {
    const words = [greet, () => 'TENDRIL 1 ok\nno more memory\n']
    await using server = await serving(
      upgrading((socket, line, count) => {
        socket.write(encodeFrame(words[count]?.(line) ?? '', plain))
        if (count === 1) socket.end()
      }),
    )
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_BOOTSTRAP',
      phase: 'python',
      says: ['closed the connection', 'no more memory'],
    })
  })
})

/** A message that never ends, a byte a fragment. */
function pieces(count: number): Buffer {
  const more = encodeFrame('x', { ...plain, opcode: CONTINUATION, isFinal: false })
  return Buffer.concat([encodeFrame('x', { ...plain, isFinal: false }), ...Array<Buffer>(count).fill(more)])
}

describe('a gateway that is open', () => {
  let server: SocketServer
  beforeAll(async () => {
    server = await startSocketServer({ token })
  })
  afterAll(() => server.stop())

  /** What becomes of everything that waits when something happens. */
  const expectLost = async (
    happens: (tap: Tap, gateway: Gateway, pid: number) => unknown,
    says: RegExp,
  ): Promise<GatewayEnd> => {
    await using tap = await Tap.before(server.port)
    await using group = new Group({ onOutput: () => undefined })
    const gateway = await group.makeGateway(specOf(tap.port, `python=${anyInterpreter().command}`))
    const channel: Channel<number> = gateway.remoteExec('import os; channel.send(os.getpid()); channel.receive()')
    const pid = await channel.receive()
    const waiting = [channel.receive(), channel.waitClose(), gateway.newChannel().receive()]
    const settled = Promise.allSettled(waiting)
    await happens(tap, gateway, pid)
    for (const each of await settled)
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'ERR_GATEWAY_CLOSED', message: says } })
    const end = await gateway.closed
    expect(end.reason).toBe('lost')
    expect(await thoseThatStay(() => [pid])).toEqual([])
    return end
  }

  const happenings: readonly [string, (tap: Tap) => void, RegExp][] = [
    ['the connection is cut', (tap) => tap.cut(), /closed the connection|reset/],
    ['a message of text comes', (tap) => tap.tell(encodeFrame('x', { ...plain, opcode: TEXT })), /text/],
    ['a message is too long', (tap) => tap.tell(encodeFrame(Buffer.alloc(3_000_000), plain)), /Max payload size/],
    ['a message has too many pieces', (tap) => tap.tell(pieces(5000)), /[Ff]ragments/],
    ['nonsense comes', (tap) => tap.tell(Buffer.from([0xff, 0xff, 0xff, 0xff])), /broke a rule of WebSockets/],
    [
      'it is told that it is over',
      (tap) => tap.tell(encodeFrame('', { ...plain, opcode: CLOSE })),
      /closed the connect/,
    ],
  ]
  it.each(happenings)('settles everything when %s', async (_, happens, says) => {
    await expectLost(happens, says)
    await expectUsable()
  })

  it('settles everything when its worker is killed, however much waits to be written', async () => {
    let flood: Promise<unknown> | undefined
    const kill = async (_: Tap, gateway: Gateway, pid: number): Promise<void> => {
      process.kill(pid, 'SIGSTOP')
      const sink = gateway.remoteExec<never, Uint8Array>('for item in channel: pass')
      // More than all buffers of a connection take.
      flood = Promise.allSettled(Array.from({ length: 15 }, () => sink.send(new Uint8Array(1_000_000))))
      await new Promise((resolve) => setImmediate(resolve))
      process.kill(pid, 'SIGKILL')
    }
    await expectLost(kill, /closed the connection/)
    await flood
  })

  it('answers pings, and takes pieces and empty messages in', async () => {
    await using tap = await Tap.before(server.port)
    await using group = new Group()
    const gateway = await group.makeGateway(specOf(tap.port))
    for (let n = 0; n < 10; n++) {
      tap.tell(encodeFrame('', plain))
      tap.tell(encodeFrame('', { ...plain, isFinal: false }))
      tap.tell(encodeFrame(`${n}`, { ...plain, opcode: PING }))
      tap.tell(encodeFrame('', { ...plain, opcode: CONTINUATION }))
      expect(await gateway.remoteExec('channel.send(n)', { n }).receive()).toBe(n)
    }
  })

  it.each([
    ['127.0.0.1', 1],
    ['0.0.0.0', 100], // an address like any other by its looks
  ])('masks what it says to %s with keys of which there are at least %d', async (host, keys) => {
    await using tap = await Tap.before(server.port)
    const masks = new Set<string | undefined>()
    tap.rewrite = (frame) => {
      masks.add(frame.mask?.toString('hex'))
      return [encodeFrame(frame.payload, frame)]
    }
    await using group = new Group()
    const gateway = await group.makeGateway(specOf(tap.port).replace('127.0.0.1', host))
    const channel: Channel<number, number> = gateway.remoteExec('for item in channel: channel.send(item)')
    for (let n = 0; n < 100; n++) {
      await channel.send(n)
      expect(await channel.receive()).toBe(n)
    }
    expect(masks.has(undefined)).toBe(false)
    if (keys === 1) expect([...masks]).toEqual(['00000000'])
    else expect(masks.size).toBeGreaterThanOrEqual(keys)
  })

  it('outlives its server no longer than the server says', async () => {
    const own = await startSocketServer({ token })
    await using group = new Group()
    const gateway = await group.makeGateway(specOf(own.port))
    const waiting = gateway.remoteExec('channel.receive()').waitClose()
    await Promise.all([own.stop(), expect(waiting).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })])
    expect((await gateway.closed).reason).toBe('lost')
  })
})

describe('a spec', () => {
  const faults: readonly [string, string, RegExp][] = [
    ['that is no URL', 'ws=127.0.0.1:8888', /no URL of a WebSocket; write ws=wss:/],
    ['with another scheme', 'ws=https://127.0.0.1/python', /no URL of a WebSocket/],
    ['with a secret for the path', 'ws=ws://127.0.0.1/?token=sesame', /secret .* token_file=/],
    ['with a secret behind it', 'ws=ws://127.0.0.1/#auth=sesame', /secret .* token_file=/],
    ['with a password', 'ws=ws://anne:sesame@127.0.0.1/', /secret .* token_file=/],
    ['that pins a certificate without TLS', `ws=ws://127.0.0.1/python//fingerprint=${'0'.repeat(64)}`, /write wss:/],
    ['with the key of another kind of server', 'ws=wss://127.0.0.1/python//insecure', /leave it out/],
    ['with a port that no system has', 'ws=ws://127.0.0.1:65536/', /no URL of a WebSocket/],
  ]
  it.each(faults)('%s is refused before anything is tried', async (_, spec, says) => {
    await using group = new Group()
    const error: unknown = await errorOf(group.makeGateway(spec))
    expect(error).toMatchObject({ code: 'ERR_XSPEC', message: says })
    expect(String(error)).not.toContain('sesame')
  })
})
