// The server's end of the opening handshake, and of the conversation up to the worker: whatever form it has, and whoever speaks.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { answerOf, type StartRequest } from '../../../src/transports/socket/handshake.js'
import { findInterpreter, newestInterpreter } from '../../interpreters.js'
import { type SocketServer, startSocketServer } from '../../testbeds/socket-server.js'
import { eventually } from '../../waiting.js'
import { hello, nonce, RawClient } from '../socket/raw-client.js'
import { CLOSE, CONTINUATION, encodeFrame, type Frame, FrameParser, PING, PONG } from './frames.js'

const pythons = [findInterpreter('CPython 2.7'), findInterpreter('CPython 3.6'), newestInterpreter()].filter(
  (each) => each !== undefined,
)

// The example of RFC 6455, section 1.3.
const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
const fields = {
  Host: 'python.test',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': key,
  'Sec-WebSocket-Version': '13',
}

function requestOf(given: Readonly<Record<string, string | undefined>>, path = '/'): string {
  const lines = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

describe.each(pythons)('a server on $name', ({ command }) => {
  let server: SocketServer
  let hasty: SocketServer // with whom what is never said is over soon
  let started = ''
  let request: StartRequest
  beforeAll(async () => {
    const args = ['--penalty', '0', '--origin', 'https://python.test']
    const starting = [args, [...args, '--handshake-timeout', '2']].map((each) =>
      startSocketServer({ python: command, args: each }),
    )
    ;[server, hasty] = (await Promise.all(starting)) as [SocketServer, SocketServer]
    started = join(server.folder, 'started')
    request = { python: null, loader: `open(${JSON.stringify(started)}, "w").close()`, env: {} }
  })
  beforeEach(() => rmSync(started, { force: true }))
  afterAll(() => Promise.all([server?.stop(), hasty?.stop()]))

  /** Somebody for whom the server has upgraded, and the frames that it says. */
  const upgraded = async ({ port } = server): Promise<{ client: RawClient; frames: Frame[] }> => {
    const client = await RawClient.connect(port)
    client.say(requestOf(fields))
    while ((await client.line()) !== '\r');
    const parser = new FrameParser()
    const frames: Frame[] = []
    client.socket.on('data', (text: string) => frames.push(...parser.push(Buffer.from(text, 'latin1'))))
    return { client, frames }
  }

  /** Both halves of the handshake, in frames of a form. */
  const shakeHands = async (say: (text: string) => Uint8Array, token: string, on = server): Promise<string> => {
    const { client, frames } = await upgraded(on)
    using _ = client
    client.say(say(hello))
    await eventually(() => expect(frames.some(({ opcode }) => opcode < CLOSE)).toBe(true))
    const greeting = frames.find(({ opcode }) => opcode < CLOSE)?.payload.toString() ?? ''
    client.say(say(answerOf(token, [nonce, greeting.split(' ')[2] ?? ''], request)))
    await client.rest()
    return frames.flatMap(({ opcode, payload }) => (opcode < CLOSE ? [payload.toString()] : [])).at(-1) ?? ''
  }

  const upgrades: readonly [string, string][] = [
    ['as browsers ask', requestOf({ ...fields, Origin: 'https://python.test', Connection: 'keep-alive, Upgrade' })],
    [
      'in any case',
      requestOf(fields)
        .toLowerCase()
        .replace(/^get (\S+) http/, 'GET $1 HTTP')
        .replace(key.toLowerCase(), key),
    ],
    ['on any path', requestOf(fields, '/some/where?region=north')],
    ['with as much as it reads', requestOf({ ...fields, Cookie: 'x'.repeat(7900) })],
  ]
  it.each(upgrades)('upgrades who asks %s', async (_, head) => {
    using client = await RawClient.connect(server.port)
    client.say(head)
    expect(await client.line()).toBe('HTTP/1.1 101 Switching Protocols\r')
    const lines = [await client.line(), await client.line(), await client.line(), await client.line()]
    expect(lines).toContain(`Sec-WebSocket-Accept: ${accept}\r`)
    expect(lines.at(-1)).toBe('\r')
  })

  const others: readonly [string, string][] = [
    ['a page', requestOf({ Host: 'python.test' })],
    ['another protocol', requestOf({ ...fields, Upgrade: 'h2c' })],
    ['a WebSocket without a key', requestOf({ ...fields, 'Sec-WebSocket-Key': undefined })],
    ['a WebSocket of another version', requestOf({ ...fields, 'Sec-WebSocket-Version': '8' })],
  ]
  it.each(others)('answers who wants %s that it upgrades only', async (_, head) => {
    using client = await RawClient.connect(server.port)
    client.say(head)
    expect(await client.line()).toBe('HTTP/1.1 426 Upgrade Required\r')
    expect(await client.rest()).toContain('Sec-WebSocket-Version: 13\r\n')
  })

  it('leaves who sends more of a head than it reads', async () => {
    using client = await RawClient.connect(server.port)
    client.say(requestOf({ ...fields, Cookie: 'x'.repeat(10_000) }))
    expect(await client.rest()).not.toContain('101')
    await eventually(() => expect(server.log()).toContain('its HTTP request is too long'))
  })

  const forms: readonly [string, (text: string) => Uint8Array][] = [
    ['a message for each line', (text) => encodeFrame(text)],
    ['a message for each byte', (text) => Buffer.concat([...text].map((byte) => encodeFrame(byte)))],
    ['frames that are not masked', (text) => encodeFrame(text, { mask: undefined })],
    ['lengths of eight bytes', (text) => encodeFrame(text, { lengthBytes: 8 })],
    [
      'fragments with pings and empty ones between',
      (text) =>
        Buffer.concat([
          encodeFrame(text.slice(0, 7), { isFinal: false }),
          encodeFrame('here?', { opcode: PING }),
          encodeFrame('', { opcode: CONTINUATION, isFinal: false }),
          encodeFrame('', { opcode: PONG }),
          encodeFrame(text.slice(7), { opcode: CONTINUATION }),
        ]),
    ],
  ]
  it.each(forms)('starts what somebody asks for who knows the token, in %s', async (_, say) => {
    expect(await shakeHands(say, server.token)).toBe('TENDRIL 1 ok\n')
    await eventually(() => expect(existsSync(started)).toBe(true))
  })

  it('refuses who does not know the token, in a message', async () => {
    expect(await shakeHands((text) => encodeFrame(text), 'x'.repeat(30))).toBe('TENDRIL 1 refused\n')
    expect(existsSync(started)).toBe(false)
  })

  it('refuses a request behind which something stands in the same message: that would be lost to the worker', async () => {
    const say = (text: string): Uint8Array => encodeFrame(text === hello ? text : `${text}something`)
    expect(await shakeHands(say, server.token)).toBe('TENDRIL 1 refused\n')
    expect(existsSync(started)).toBe(false)
  })

  const strangers: readonly [string, (client: RawClient) => void][] = [
    ['a message that is far too long', (client) => client.say(encodeFrame('x'.repeat(200_000)).subarray(0, 100_000))],
    [
      'the length of a message that no memory holds',
      (client) => client.say(Buffer.from('82ff7fffffffffffffff', 'hex')),
    ],
    ['a ping that is longer than pings are', (client) => client.say(encodeFrame('x'.repeat(5000), { opcode: PING }))],
    ['a close', (client) => client.say(encodeFrame('', { opcode: CLOSE }))],
    ['nothing', () => undefined],
    ['half a frame', (client) => client.say(encodeFrame(hello).subarray(0, 20))],
    ['noise', (client) => client.say(Buffer.alloc(3000, 0xff))],
  ]
  it.each(strangers)('starts nothing for %s, and serves the next', async (_, speak) => {
    const { client } = await upgraded(hasty)
    using __ = client
    speak(client)
    await client.rest()
    expect(existsSync(started)).toBe(false)
    expect(hasty.log()).not.toContain('Traceback')
    expect(await shakeHands((text) => encodeFrame(text), hasty.token, hasty)).toBe('TENDRIL 1 ok\n')
  })

  it('gives who only pings no more time than anybody', async () => {
    const { client } = await upgraded(hasty)
    using _ = client
    const pinging = setInterval(() => client.say(encodeFrame('', { opcode: PING })), 100)
    await client.rest()
    clearInterval(pinging)
    expect(existsSync(started)).toBe(false)
  })
})
