// Calls that time out and cannot be interrupted: they are given up, and nobody is killed for them unless that was asked for.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Gateway, GatewayClosedError, Group, TimeoutError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { pythons } from './pythons.js'

const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

const defining = `
import time
is_free = False
def stubborn(begun=None):
    while True:
        try:
            if begun: begun = begun.send(1)
            while not is_free: time.sleep(0.02)
            return 7
        except KeyboardInterrupt: begun = None
def spin():
    n = 0
    while True: n += 1
`
const free = 'import __main__; __main__.is_free = True'

async function newGateway(command: string, keys = ''): Promise<Gateway> {
  const gateway = await group.makeGateway(`popen//python=${command}${keys}`)
  await gateway.execute(defining)
  return gateway
}

/** Gives up a call that has begun. */
async function giveUp(gateway: Gateway, options: object = {}): Promise<unknown> {
  const begun = gateway.newChannel()
  const controller = new AbortController()
  const error = errorOf(gateway.call('stubborn', [begun], {}, { signal: controller.signal, ...options }))
  await begun.receive()
  controller.abort('enough')
  return error
}

describe.each(pythons)('a call that goes on whatever it is told, on $name', ({ command }) => {
  it('is given up soon: nobody is killed, and stats tells of it until it ends', async () => {
    const gateway = await newGateway(command)
    expect((await gateway.stats()).givenUp).toEqual([])
    expect(await giveUp(gateway)).toBe('enough')
    const { givenUp } = await gateway.stats()
    expect(givenUp).toEqual([{ title: 'call("stubborn")', ms: expect.any(Number), thread: 'MainThread' }])
    await gateway.remoteExec(free).waitClose()
    await expect.poll(async () => (await gateway.stats()).givenUp).toEqual([])
    expect(gateway.isReceiving).toBe(true)
  })

  it('is named by the TimeoutError of one that waits behind it', async () => {
    const gateway = await newGateway(command, '//execmodel=main_thread_only')
    await giveUp(gateway)
    const error = await errorOf(gateway.call('abs', [1], {}, { timeout: 200 }))
    expect(error).toBeInstanceOf(TimeoutError)
    expect((error as Error).message).toMatch(
      /^call\("abs"\) took more than 200 ms: it waited \d+\.\d s behind call\("stubborn"\), given up \d+\.\d s ago and still running; killAfter ends its worker, threads=2 lets others pass$/,
    )
    await gateway.terminate({ timeout: 0 })
  })

  it('is killed after killAfter when nothing else runs there', async () => {
    const gateway = await newGateway(command)
    expect(await giveUp(gateway, { killAfter: 150 })).toBe('enough')
    expect(await gateway.closed).toMatchObject({
      signal: 'SIGKILL',
      error: {
        message: expect.stringMatching(/^call\("stubborn"\) was aborted .* within 150 ms.*, so its worker was killed/),
      },
    })
    expect(await errorOf(gateway.eval('1'))).toBeInstanceOf(GatewayClosedError)
  })
})

describe('killAfter', () => {
  const { command } = pythons.at(-2) ?? { command: 'python3' }

  it('waits for a task, and for another call that was begun, and not for what is behind it', async () => {
    const gateway = await newGateway(command)
    const task = gateway.remoteExec('channel.receive(); channel.send(2)')
    expect(await giveUp(gateway, { killAfter: 50 })).toBe('enough')
    const seen = await Promise.race([gateway.closed, giveTime(300)])
    expect(seen).toBeUndefined()
    await task.send(1)
    expect(await task.receive()).toBe(2)
    expect(await gateway.closed).toMatchObject({ signal: 'SIGKILL' })
  })

  it('waits for a copy, a carried gateway and an open connection of a forward, and for no log and no forward that is idle', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const folder = mkdtempSync(join(tmpdir(), 'tendril-given-up-'))
    const gateway = await newGateway(command)
    await gateway.onLog(() => undefined)
    await gateway.forward({ localListen: 0, to: port })
    await gateway.forward({ remoteListen: 0, to: port })
    const forward = await gateway.forward({ localListen: 0, to: port })
    const ends: (() => void)[] = []
    const more = new Promise<void>((resolve) => ends.push(resolve))
    const copy = gateway.put(slowly(more), join(folder, 'copy'))
    const carried = await group.makeGateway(`popen//via=${gateway.id}//python=${command}`)
    const [client, [far]] = await Promise.all([connected(forward.port), once(server, 'connection')])
    ends.push(
      () => void carried.terminate({ timeout: 0 }),
      () => void [client.destroy(), far.destroy()],
    )
    expect(await giveUp(gateway, { killAfter: 20 })).toBe('enough')
    const behind = errorOf(gateway.call('abs', [-1]))
    for (const end of ends) {
      expect(await Promise.race([gateway.closed, giveTime(200)])).toBeUndefined()
      end()
    }
    await copy
    expect(await gateway.closed).toMatchObject({ signal: 'SIGKILL' })
    expect(await behind).toMatchObject({ name: 'GatewayClosedError', delivery: 'not-sent' })
    expect(await behind).toMatchObject({
      message: expect.stringMatching(/was killed \(killAfter\); call\("abs"\) had not begun$/),
    })
    server.close()
    rmSync(folder, { recursive: true })
  })

  it('does not wait for what cannot run, because the call holds the whole interpreter', async () => {
    const gateway = await newGateway(command)
    const task = gateway.remoteExec('channel.send(1); channel.receive()')
    await task.receive()
    await gateway.execute('import asyncio\nasync def wait(): await asyncio.sleep(60)')
    const awaited = errorOf(gateway.call('wait'))
    const options = { timeout: 500, killAfter: 20 }
    const error = errorOf(gateway.eval('import ctypes; ctypes.PyDLL(None).sleep(60)', {}, options))
    const behind = errorOf(gateway.call('abs', [-1]))
    expect(await error).toBeInstanceOf(TimeoutError)
    expect(await gateway.closed).toMatchObject({ signal: 'SIGKILL' })
    await expect(task.receive()).rejects.toThrow(/so its worker was killed/)
    expect(await awaited).toMatchObject({ name: 'GatewayClosedError', delivery: 'unknown' })
    expect(await behind).toMatchObject({ name: 'GatewayClosedError', delivery: 'not-sent' })
  })

  it('waits for a task that holds the whole interpreter, while the call has not begun, or lets others run', async () => {
    const gateway = await newGateway(command)
    const source = 'import ctypes\nchannel.send(channel.receive())\nctypes.PyDLL(None).sleep(2)\nchannel.send(2)'
    const task = gateway.remoteExec<number>(source)
    expect(await giveUp(gateway, { killAfter: 500 })).toBe('enough')
    await task.send(1)
    expect(await task.receive()).toBe(1)
    const behind = await errorOf(gateway.call('abs', [-1], {}, { timeout: 50, killAfter: 20 }))
    expect((behind as Error).message).toMatch(/more than 50 ms; its worker does not answer/)
    expect(await task.receive()).toBe(2)
    expect((await gateway.closed).error?.message).toMatch(/^call\("stubborn"\) was aborted/)
  })

  it('waits for nobody with withOthers', async () => {
    const gateway = await newGateway(command)
    const task = gateway.remoteExec('channel.send(1); channel.receive()')
    await task.receive()
    expect(await giveUp(gateway, { killAfter: { ms: 50, withOthers: true } })).toBe('enough')
    await expect(task.receive()).rejects.toThrow(/so its worker was killed/)
  })

  it('kills nobody for what ends in time, or can be interrupted', async () => {
    const gateway = await newGateway(command)
    const error = await errorOf(gateway.call('spin', [], {}, { timeout: 50, killAfter: 60_000 }))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('is a default of a view, too', async () => {
    const gateway = await newGateway(command)
    const begun = gateway.newChannel()
    const controller = new AbortController()
    const call = gateway.with({ signal: controller.signal, killAfter: 50 }).call('stubborn', [begun])
    await begun.receive()
    controller.abort('enough')
    expect(await errorOf(call)).toBe('enough')
    expect(await gateway.closed).toMatchObject({ signal: 'SIGKILL' })
  })

  it('of a task that goes on is told by its channel, which keeps what had come', async () => {
    const gateway = await newGateway(command)
    const source = 'import __main__\nchannel.send(1)\n__main__.stubborn(begun)'
    const begun = gateway.newChannel()
    const controller = new AbortController()
    const task = gateway.remoteExec(source, { begun }, { signal: controller.signal })
    await begun.receive()
    controller.abort('enough')
    expect(await errorOf(task.waitClose())).toBe('enough')
    expect(await task.receive()).toBe(1)
    expect((await gateway.stats()).givenUp).toMatchObject([{ title: expect.stringMatching(/^the exec of /) }])
    await gateway.terminate({ timeout: 0 })
  })
})

async function* slowly(more: Promise<void>): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10)
  await more
  yield new Uint8Array(10)
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

function giveTime(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms))
}
