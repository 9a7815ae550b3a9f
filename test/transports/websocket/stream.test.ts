// An open WebSocket as a stream: pings into silence, and a peer that is gone. The clock is the test's, all else is real.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'

type Stream = typeof import('../../../src/transports/websocket/stream.js')

const pingMs = 15_000

// Loaded anew: timers that were real when it was loaded stay so.
let messageLimits: Stream['messageLimits']
let streamOf: Stream['streamOf']
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  vi.resetModules()
  ;({ messageLimits, streamOf } = await import('../../../src/transports/websocket/stream.js'))
})
afterEach(() => void vi.useRealTimers())

/** A stream to a server that answers pings, or does not. */
async function connected(
  autoPong: boolean,
): Promise<{ server: WebSocket; raw: Duplex; client: WebSocket; stream: Duplex } & AsyncDisposable> {
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong })
  await once(listener, 'listening')
  const address = listener.address()
  const connection = createConnection({
    host: '127.0.0.1',
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
  })
  const client = new WebSocket('ws://127.0.0.1', { createConnection: () => connection, ...messageLimits })
  const stream = streamOf(client, connection, createWebSocketStream)
  const [[server, request]] = (await Promise.all([once(listener, 'connection'), once(client, 'open')])) as [
    [WebSocket, IncomingMessage],
    unknown,
  ]
  const dispose = async (): Promise<void> => {
    client.terminate()
    server.terminate()
    listener.close()
    await once(listener, 'close')
  }
  return { server, raw: request.socket, client, stream, [Symbol.asyncDispose]: dispose }
}

describe('a WebSocket that is open', () => {
  it('is kept from being idle for as long as the other side answers', async () => {
    await using ends = await connected(true)
    for (let n = 0; n < 10; n++) {
      const ponged = once(ends.client, 'pong')
      vi.advanceTimersByTime(pingMs)
      await ponged
    }
    expect(ends.stream.destroyed).toBe(false)
  })

  it('ends within a minute when the other side answers no more', async () => {
    await using ends = await connected(false)
    const failed = once(ends.stream, 'error')
    vi.advanceTimersByTime(4 * pingMs)
    expect(await failed).toMatchObject([{ message: 'the other side has not answered for 60 s' }])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('pings no more when it has ended', async () => {
    await using ends = await connected(true)
    ends.stream.destroy()
    await once(ends.client, 'close')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends when the other side has ended, which takes nothing of what waits to be written', async () => {
    await using ends = await connected(true)
    ends.server.pause()
    ends.stream.write(Buffer.alloc(30_000_000))
    ends.raw.end()
    for await (const _ of ends.stream) expect.unreachable()
    expect(ends.client.readyState).toBe(WebSocket.CLOSED)
  })

  it('ends soon after the other side has said that it is over, and takes nothing any more', async () => {
    vi.useRealTimers() // it is the library that waits
    await using ends = await connected(true)
    ends.server.pause()
    ends.stream.write(Buffer.alloc(30_000_000))
    ends.server.close()
    for await (const _ of ends.stream) expect.unreachable()
    expect(ends.client.readyState).toBe(WebSocket.CLOSED)
  })

  it('makes a message of each write, and bytes of whatever messages come', async () => {
    await using ends = await connected(true)
    const messages: string[] = []
    ends.server.on('message', (data, isBinary) => messages.push(`${String(data)} ${isBinary}`))
    ends.stream.write('one')
    ends.stream.write('two')
    while (messages.length < 2) await once(ends.server, 'message')
    expect(messages).toEqual(['one true', 'two true'])
    ends.server.send(Buffer.from('a'))
    ends.server.send(Buffer.from('bc'))
    ends.server.close()
    let heard = ''
    for await (const chunk of ends.stream) heard += String(chunk)
    expect(heard).toBe('abc')
  })
})
