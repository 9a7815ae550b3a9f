// A connection over socket= through something that ends connections on which nothing has been said for a while.
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { thoseThatStay } from '../processes.js'
import { expectUsable } from '../testbeds/fault.js'
import { serving } from '../testbeds/serving.js'
import { startSocketServer } from '../testbeds/socket-server.js'

const idleMs = 2000

/** Passes everything on, and ends both connections once neither has said anything for a while: not before the gateway is there, which takes its time. */
function impatientProxy(target: number, end: (socket: Socket) => void, state: { isThere: boolean }): Server {
  return createServer((client) => {
    const server = createConnection({ host: '127.0.0.1', port: target })
    const both = [client, server]
    const timer = setTimeout(() => (state.isThere ? both.forEach(end) : timer.refresh()), idleMs)
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.setNoDelay(true)
      one.on('error', () => undefined)
      one.on('data', () => timer.refresh())
      one.once('close', () => {
        clearTimeout(timer)
        other.destroy()
      })
      one.pipe(other)
    }
  })
}

const ends: readonly [string, (socket: Socket) => void][] = [
  ['closes', (socket) => socket.destroy()],
  ['half-closes', (socket) => void socket.end()],
  ['resets', (socket) => void socket.resetAndDestroy()],
]

describe.each(ends)('a proxy that %s what is silent', (_, end) => {
  it('settles all that waits, with an error that says so, and leaves no worker', async () => {
    await using server = await startSocketServer()
    const state = { isThere: false }
    await using proxy = await serving(impatientProxy(server.port, end, state))
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec.replace(/:\d+/, `:${proxy.port}`))
    state.isThere = true
    const pid = await gateway.remoteExec<number>('import os; channel.send(os.getpid())').receive()
    const channel = gateway.remoteExec('for item in channel: pass')
    const waiting = [channel.receive(), channel.waitClose(), gateway.newChannel().receive()]
    for (const each of await Promise.allSettled(waiting))
      expect(each).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_GATEWAY_CLOSED', message: /127\.0\.0\.1:\d+ closed the connection|reset the connection/ },
      })
    await expect(channel.send(1)).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    expect((await gateway.closed).reason).toBe('lost')
    expect(await thoseThatStay(() => [pid])).toEqual([])
    await expectUsable()
  })
})

it('a proxy that ends what is silent leaves those alone who talk', async () => {
  await using server = await startSocketServer()
  const state = { isThere: false }
  await using proxy = await serving(impatientProxy(server.port, (socket) => socket.destroy(), state))
  await using group = new Group()
  const gateway = await group.makeGateway(server.spec.replace(/:\d+/, `:${proxy.port}`))
  state.isThere = true
  const channel = gateway.remoteExec<number>(`
    import time
    for n in range(8):
        time.sleep(${idleMs / 4000})
        channel.send(n)
  `)
  const numbers: number[] = []
  for await (const n of channel) numbers.push(n)
  expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})
