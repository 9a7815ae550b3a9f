// The worker's end of a WebSocket, in real interpreters: frames in whatever form and whatever pieces they come, pings at any time, and the end.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Channel, Group } from '../../../src/index.js'
import { errorOf } from '../../failing.js'
import { findInterpreter, newestInterpreter } from '../../interpreters.js'
import { thoseThatStay } from '../../processes.js'
import { type SocketServer, startSocketServer } from '../../testbeds/socket-server.js'
import { BINARY, CLOSE, CONTINUATION, encodeFrame, type Frame, FrameParser, PING, PONG, TEXT } from './frames.js'
import { Tap } from './tap.js'

const fixture = fileURLToPath(new URL('../../fixtures/link_peer.py', import.meta.url))
const linkFile = fileURLToPath(new URL('../../../src/transports/websocket/link.py', import.meta.url))
const pythons = [findInterpreter('CPython 2.7'), newestInterpreter(), findInterpreter('PyPy')].filter(
  (each) => each !== undefined,
)

/** What a peer that reads `slice` bytes at a time answers to something. */
async function answersOf(python: string, slice: number, bytes: Uint8Array, side = 'server'): Promise<Frame[]> {
  const peer = spawn(python, [fixture, linkFile, String(slice), side === 'client' ? 'masks' : 'plain'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const parser = new FrameParser()
  const frames: Frame[] = []
  peer.stdout.on('data', (chunk: Buffer) => frames.push(...parser.push(chunk)))
  peer.stdin.on('error', () => undefined)
  peer.stdin.end(bytes)
  const [code] = await once(peer, 'close')
  expect(code).toBe(0)
  return frames
}

function payloadOf(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.filter(({ opcode }) => opcode < CLOSE).map(({ payload }) => payload))
}

function payloadsOf(frames: readonly Frame[], opcode: number): string[] {
  const payloads = frames.filter((frame) => frame.opcode === opcode).map(({ payload }) => payload.toString('latin1'))
  return payloads.filter((payload) => payload !== '') // which are answers to what keeps the connection alive
}

/** A conversation that has every form of a frame; gives it with its payload. */
function everyForm(sizes: readonly number[]): [conversation: Buffer, payload: Buffer] {
  const pieces: Buffer[] = []
  const payloads = sizes.map((size) => randomBytes(size))
  for (const payload of payloads) {
    pieces.push(encodeFrame(payload), encodeFrame(payload, { mask: undefined }))
    pieces.push(encodeFrame(payload, { mask: Buffer.alloc(4), lengthBytes: 8 }), encodeFrame(payload, { opcode: TEXT }))
    const [one, two] = [payload.subarray(0, size3(payload)), payload.subarray(size3(payload))]
    pieces.push(encodeFrame(one, { isFinal: false }), encodeFrame(`ping ${payload.length}`, { opcode: PING }))
    pieces.push(encodeFrame(two, { opcode: CONTINUATION, isFinal: false, lengthBytes: 8 }))
    pieces.push(encodeFrame('', { opcode: PONG }), encodeFrame('', { opcode: CONTINUATION }))
  }
  pieces.push(encodeFrame(Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]), { opcode: CLOSE }), encodeFrame('too late'))
  return [Buffer.concat(pieces), Buffer.concat(payloads.flatMap((payload) => Array<Buffer>(5).fill(payload)))]
}

function size3({ length }: Buffer): number {
  return Math.floor(length / 3)
}

describe.each(pythons)('a link in $name', ({ command }) => {
  it.each([1, 2, 3, 4, 5, 7, 13, 64])('reads frames of every form, %d bytes at a time', async (slice) => {
    const sizes = [0, 1, 2, 3, 5, 125, 126, 200]
    const [conversation, payload] = everyForm(sizes)
    const frames = await answersOf(command, slice, conversation)
    expect(payloadOf(frames)).toEqual(payload)
    expect(payloadsOf(frames, PONG)).toEqual(sizes.map((size) => `ping ${size}`))
  })

  it.each([1000, 4099, 65_536])('reads long frames, %d bytes at a time', async (slice) => {
    const sizes = [65_535, 65_536, 200_001]
    const [conversation, payload] = everyForm(sizes)
    const frames = await answersOf(command, slice, conversation)
    expect(payloadOf(frames).equals(payload)).toBe(true)
    expect(payloadsOf(frames, PONG)).toEqual(sizes.map((size) => `ping ${size}`))
  })

  it('answers a close with its code, and hears nothing after it', async () => {
    const [conversation] = everyForm([10])
    const frames = await answersOf(command, 65_536, conversation)
    expect(payloadsOf(frames, CLOSE)).toEqual(['\x03\xe8'])
    expect(payloadOf(frames).includes('too late')).toBe(false)
  })

  it.each([
    ['server', undefined],
    ['client', Buffer.alloc(4)],
  ])('as %s masks as the rules want it', async (side, mask) => {
    const frames = await answersOf(command, 65_536, everyForm([0, 5, 300, 70_000])[0], side)
    expect(frames.length).toBeGreaterThan(5)
    for (const frame of frames) expect(frame.mask).toEqual(mask)
  })
})

describe.each(pythons)('a worker in $name', ({ command }) => {
  let server: SocketServer
  let tap: Tap
  let group: Group
  beforeAll(async () => {
    server = await startSocketServer()
  })
  afterAll(() => server.stop())

  /** A worker at the other end of a tap. */
  const open = async () => {
    tap = await Tap.before(server.port)
    group = new Group({ onOutput: () => undefined })
    const spec = `ws=ws://127.0.0.1:${tap.port}//token_file=${server.folder}/token//python=${command}`
    return {
      gateway: await group.makeGateway(spec),
      async [Symbol.asyncDispose]() {
        await group.terminate()
        await tap[Symbol.asyncDispose]()
      },
    }
  }

  it('does its work when every message comes in pieces with pings between them', async () => {
    await using opened = await open()
    let pings = 0
    tap.rewrite = ({ payload, opcode }) => {
      if (opcode !== BINARY) return [encodeFrame(payload, { opcode })]
      const at = Math.floor(payload.length / 3)
      return [
        encodeFrame(payload.subarray(0, at), { isFinal: false }),
        encodeFrame(`${pings++}`, { opcode: PING }),
        encodeFrame(payload.subarray(at), { opcode: CONTINUATION }),
      ]
    }
    const channel: Channel<Uint8Array, Uint8Array> = opened.gateway.remoteExec(
      'for item in channel: channel.send(item)',
    )
    for (const size of [0, 1, 1000, 65_536, 3_000_000]) {
      const item = randomBytes(size)
      await channel.send(item)
      expect(Buffer.from(await channel.receive()).equals(item)).toBe(true)
    }
    expect(pings).toBeGreaterThan(5)
    await tap.hears(({ opcode, payload }) => opcode === PONG && payload.toString() === `${pings - 1}`)
    expect(payloadsOf(tap.heard, PONG)).toEqual(Array.from({ length: pings }, (_, ping) => `${ping}`))
    expect(tap.complaint).toBeUndefined()
  })

  it('answers pings while it sends, and never inside a message', async () => {
    await using opened = await open()
    const source = 'for _ in range(40): channel.send(b"x" * 1000000)'
    const channel: Channel<Uint8Array> = opened.gateway.remoteExec(source)
    let received = 0
    for await (const item of channel) {
      tap.say(encodeFrame(`${received}`, { opcode: PING }))
      received += item.length
    }
    expect(received).toBe(40_000_000)
    await tap.hears(({ opcode, payload }) => opcode === PONG && payload.toString() === '39000000')
    expect(payloadsOf(tap.heard, PONG)).toHaveLength(40)
    expect(tap.complaint).toBeUndefined()
  })

  it('waits no longer, and no shorter, for a ping', async () => {
    await using opened = await open()
    const channel = opened.gateway.remoteExec(`
      import time
      channel.receive()
      for _ in range(2):
          began = time.time()
          try:
              channel.receive(timeout=1)
          except channel.TimeoutError:
              channel.send(time.time() - began)
    `)
    await channel.send('go')
    const pinging = setInterval(() => tap.say(encodeFrame('are you there?', { opcode: PING })), 150)
    try {
      // One whose time began anew with each ping would wait for as long as they come.
      for (const waited of [await channel.receive(), await channel.receive()])
        expect(waited).toBeGreaterThanOrEqual(0.99)
      expect(payloadsOf(tap.heard, PONG).length).toBeGreaterThan(5)
    } finally {
      clearInterval(pinging)
    }
  })

  it('leaves when it is told that the WebSocket is over, also in the midst of a wait', async () => {
    await using opened = await open()
    const channel = opened.gateway.remoteExec('channel.receive()\nchannel.send(1)\nchannel.receive(timeout=60)')
    await channel.send('go')
    await channel.receive()
    const [pid] = server.workers()
    // In one piece with something that the worker has to act upon.
    tap.rewrite = ({ payload }) => [Buffer.concat([encodeFrame(payload), encodeFrame('', { opcode: CLOSE })])]
    const status = errorOf(opened.gateway.remoteStatus())
    expect((await opened.gateway.closed).reason).toBe('lost')
    await status
    expect(await thoseThatStay(() => [pid ?? 0])).toEqual([])
    expect(tap.heard.some(({ opcode }) => opcode === CLOSE)).toBe(true)
  })
})
