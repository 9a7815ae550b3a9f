// What may stand at the other end of socket=, and what becomes of it: one typed error that says where the way ended and what to do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { proof } from '../../src/transports/socket/handshake.js'
import { expectFault } from '../testbeds/fault.js'
import { freePort } from '../testbeds/server.js'
import { serving } from '../testbeds/serving.js'
import { startSocketServer } from '../testbeds/socket-server.js'

const token = 'the-token-that-we-have-here'
let folder = ''
let tokenFile = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-socket-client-'))
  tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
})
afterAll(() => rmSync(folder, { recursive: true }))

const specOf = (port: number, ...keys: string[]): string =>
  [`socket=127.0.0.1:${port}`, `token_file=${tokenFile}`, ...keys].join('//')

/** Answers the lines that a client sends, each with the next of these; what it says is what it has been told, and then it hangs up. */
function answering(...answers: readonly ((line: string) => string | Buffer)[]): Server {
  return createServer((socket) => {
    const left = [...answers]
    socket.on('data', (data: Buffer) => {
      const answer = left.shift()
      if (answer !== undefined) socket.write(answer(data.toString('latin1')))
      if (left.length === 0) socket.end()
    })
  })
}

const nonce = '42'.repeat(32)
const greet = (line: string): string =>
  `TENDRIL 1 ${nonce} ${proof(token, 'server', [line.split(/[ \n]/)[2] ?? '', nonce])}\n`

describe('a port on which', () => {
  it('nobody listens', async () => {
    await expectFault({
      spec: specOf(await freePort('127.0.0.1')),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      says: ['127.0.0.1', 'no server listens', 'tendril serve'],
    })
  })

  it('a server with another token listens, hears nothing of what was to be started', async () => {
    await using server = await startSocketServer()
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['does not know the token', 'token_file=', 'nothing of yours was sent'],
    })
    expect(server.workers()).toEqual([])
  })

  it('somebody pretends to know the token, hears no more than a number', async () => {
    let heard = ''
    const record = (line: string): string => {
      heard += line
      return `TENDRIL 1 ${nonce} ${'0'.repeat(64)}\n`
    }
    await using server = await serving(answering(record, record))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['does not know the token'],
    })
    expect(heard).toMatch(/^TENDRIL 1 [0-9a-f]{64}\n$/)
  })

  it('a server refuses us', async () => {
    await using server = await serving(answering(greet, () => 'TENDRIL 1 refused\n'))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_AUTHENTICATION',
      phase: 'authenticate',
      says: ['refused us', 'its log tells'],
    })
  })

  it('HTTP is spoken', async () => {
    await using server = await serving(createHttpServer((_, response) => response.end('hello')))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['HTTP/1.1 400', 'Check the port'],
    })
  })

  it('nothing is ever said', async () => {
    await using server = await serving(createServer(() => undefined))
    await expectFault({
      spec: specOf(server.port, 'timeout=1s'),
      code: 'ERR_BOOTSTRAP',
      phase: 'authenticate',
      says: ['timeout='],
    })
  })

  it('somebody talks without end', async () => {
    await using server = await serving(answering(() => Buffer.alloc(1_000_000, 'x')))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['"xxxx', 'Check the port'],
    })
  })

  it('somebody hangs up at once', async () => {
    await using server = await serving(createServer((socket) => socket.end()))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['it hung up', 'tendril serve'],
    })
  })

  it('somebody breaks the connection', async () => {
    await using server = await serving(createServer((socket) => socket.once('data', () => socket.resetAndDestroy())))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['it broke the connection', 'tendril serve'],
    })
  })

  const half = (text: string): string => text.slice(0, text.length / 2)
  const ends: readonly [string, Server, string | RegExp][] = [
    ['in the middle of its greeting', answering((line) => half(greet(line))), 'hung up after "TENDRIL 1'],
    ['after its greeting', answering(greet), 'it hung up'],
    ['instead of an answer', answering(greet, () => ''), 'it hung up'],
    ['in the middle of its answer', answering(greet, () => 'TENDRIL'), 'hung up after "TENDRIL"'],
    ['with another answer', answering(greet, () => 'TENDRIL 1 maybe\n'), 'it said "TENDRIL 1 maybe"'],
  ]
  it.each(ends)('somebody hangs up %s', async (_, hostile, says) => {
    await using server = await serving(hostile)
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: [says, 'Check'],
    })
  })

  it('somebody hangs up instead of a worker', async () => {
    await using server = await serving(answering(greet, () => 'TENDRIL 1 ok\nno more memory\n'))
    await expectFault({
      spec: specOf(server.port),
      code: 'ERR_BOOTSTRAP',
      phase: 'python',
      says: ['closed the connection', 'no more memory'],
    })
  })
})

describe('a server that is asked for', () => {
  it('an interpreter that is not there says so', async () => {
    await using server = await startSocketServer({ token })
    await expectFault({
      spec: specOf(server.port, 'python=/no/such/python'),
      code: 'ERR_BOOTSTRAP',
      phase: 'python',
      says: ['cannot start', '/no/such/python', 'No such file or directory', 'python='],
    })
  })

  it('something that is no Python tells that it ended', async () => {
    await using server = await startSocketServer({ token })
    await expectFault({
      spec: specOf(server.port, 'python=false'),
      code: 'ERR_BOOTSTRAP',
      phase: 'python',
      says: ['python='],
    })
  })
})

describe('a spec', () => {
  const faults: readonly [string, string, RegExp][] = [
    ['without a port', 'socket=127.0.0.1', /no HOST:PORT/],
    ['with a port that no system has', 'socket=127.0.0.1:65536', /no HOST:PORT/],
    ['with a token file that is not there', 'socket=127.0.0.1:1//token_file=/no/such/file', /cannot be read/],
    ['with a token file that others may read', `socket=127.0.0.1:1//token_file=/etc/passwd`, /chmod 600/],
  ]
  it.each(faults)('%s is refused before anything is tried', async (_, spec, says) => {
    await using group = new Group()
    await expect(group.makeGateway(spec)).rejects.toThrow(says)
    await expect(group.makeGateway(spec)).rejects.toMatchObject({ code: 'ERR_XSPEC' })
  })
})
