// A system that has few threads for a worker: what cannot have one fails, says so and leaves nothing, and all the rest goes on.
import { createServer, type Server } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { echo, exchange } from '../forwarding/ends.js'
import { anyInterpreter, findInterpreter, newestInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { debianPython, noOtherUsers, titled } from '../testbeds/needs.js'
import { until } from '../waiting.js'

const any = anyInterpreter()
const pythons = [...new Set([findInterpreter('CPython 2.7') ?? any, any, newestInterpreter()])]
const cannot = /can't start new thread\. Allow the worker more processes and memory \(ulimit -u, ulimit -v\)/

let group: Group
let printed: string[]
beforeEach(() => {
  printed = []
  group = new Group({ onOutput: ({ text }) => void printed.push(text) })
})
afterEach(() => group.terminate({ timeout: 0 }))

/** From now on the worker starts so many threads more, as far as its own code is concerned; undefined is as many as it likes. */
async function allow(gateway: Gateway, threads: number | undefined): Promise<void> {
  await gateway.call('allow', [threads ?? null])
}

const allowing = `
from _tendril import _thread
start_new_thread, left = _thread.start_new_thread, [None]
def start(*args):
    if left[0] is not None:
        left[0] -= 1
        if left[0] < 0:
            raise _thread.error("can't start new thread")
    return start_new_thread(*args)
_thread.start_new_thread = start
def allow(threads):
    left[0] = threads
`

describe.each(pythons)('a carrier on $name', ({ command }) => {
  let gateway: Gateway
  let server: Server
  let port = 0
  beforeAll(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined) // it is reset
      echo(socket)
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    port = typeof address === 'object' ? (address?.port ?? 0) : 0
  })
  afterAll(() => void server.close())
  beforeEach(async () => {
    gateway = await group.makeGateway(`popen//id=carrier//python=${command}`)
    await gateway.execute(allowing)
  })

  it.each([1, 2, 3])('that has %d threads for a gateway has it fail, and leaves nothing of it', async (threads) => {
    const mark = new Mark()
    await allow(gateway, threads)
    const spec = `popen//via=carrier//python=${command}//${mark.key}`
    await expect(group.makeGateway(spec)).rejects.toThrow(cannot)
    expect(await thoseThatStay(mark.pids)).toEqual([])
    await allow(gateway, undefined)
    expect(await (await group.makeGateway(spec)).eval('1 + 1')).toBe(2)
  })

  it.each(['localListen', 'remoteListen'] as const)(
    'ends the connections of a forward (%s) for which there are no threads, and not the forward',
    async (way) => {
      const errors: string[] = []
      const options = { to: `127.0.0.1:${port}`, onError: (error: Error) => void errors.push(error.message) }
      const forward = await gateway.forward(
        way === 'localListen' ? { localListen: 0, ...options } : { remoteListen: 0, ...options },
      )
      expect(String(await exchange(forward.address, 'before'))).toBe('before')
      for (const threads of [0, 1]) {
        await allow(gateway, threads)
        await expect(exchange(forward.address, 'x'.repeat(1 << 20))).rejects.toThrow(/ECONNRESET|EPIPE/)
        await until(() => errors.length > 0)
        expect(errors.splice(0)).toEqual([expect.stringMatching(threads === 0 ? cannot : /./)])
      }
      await allow(gateway, undefined)
      expect(String(await exchange(forward.address, 'after'))).toBe('after')
      await forward.close()
      expect(printed).toEqual([])
    },
  )

  it('says that there is no thread to listen with', async () => {
    for (const threads of [0, 1, 2]) {
      await allow(gateway, threads)
      await expect(gateway.forward({ remoteListen: 0, to: port })).rejects.toThrow(cannot)
    }
    await allow(gateway, undefined)
    await using forward = await gateway.forward({ remoteListen: 0, to: `127.0.0.1:${port}` })
    expect(String(await exchange(forward.address, 'listens'))).toBe('listens')
  })
})

describe.each(pythons)('a task on $name for which there is no thread', ({ command }) => {
  it.each([
    ['what was lent to it before it had come', 4 << 20],
    ['what is lent to it later', 0],
  ])('lets go of %s, and of the functions that it was given', async (_, size) => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(`${allowing}
import gc, weakref
class Object(object): pass
alive = weakref.WeakSet()
def make():
    made = Object()
    alive.add(made)
    return made
def count():
    gc.collect()
    return len(alive)`)
    const first = gateway.remoteExec('channel.send(1); channel.receive()')
    await first.receive()
    const objects = [await gateway.ref.call('make'), await gateway.ref.call('make')]
    const bytes = new Uint8Array(size) // what is long comes in fragments, between which the loan comes
    await allow(gateway, 0)
    const tasks = objects.map((object) => gateway.remoteExec('channel.send(1)', { object, f: () => 1, bytes }))
    for (const task of tasks) await expect(task.receive()).rejects.toThrow(cannot)
    await allow(gateway, undefined)
    await first.send(1)
    await first.waitClose()
    for (const object of objects) object.dispose()
    await until(async () => (await gateway.call('count')) === 0)
    expect(await gateway.stats()).toMatchObject({
      callbacks: 0,
      remoteCallbacks: 0,
      references: 0,
      remoteReferences: 0,
    })
  })
})

describe.skipIf(noOtherUsers)(titled('a worker of a user with 30 processes', noOtherUsers), () => {
  // Of a number that nobody has: the processes of a user are counted all over the machine.
  const limited = `setpriv --reuid=${60_000 + (process.pid % 5000)} --regid=65534 --clear-groups bash -c 'ulimit -u 30; exec "$0" "$@"' ${debianPython.command}`

  it('runs as many of 300 tasks as it can, fails the others, and performs all of 300 calls', async () => {
    const gateway = await group.makeGateway(`popen//python=${limited}`)
    const tasks = Array.from({ length: 300 }, () => gateway.remoteExec('channel.send(channel.receive())'))
    const items = tasks.map((task) => task.receive().catch((error: Error) => error))
    const refused = (await Promise.all([...items.slice(30)])) as Error[]
    for (const error of refused) expect(error.message).toMatch(cannot)
    for (const task of tasks) task.send('goes on').catch(() => undefined)
    const results = (await Promise.all(items.slice(0, 30))).map((item) =>
      item instanceof Error ? cannot.test(item.message) : item,
    )
    expect(new Set(results)).toEqual(new Set(['goes on', true]))
    expect(results.filter((item) => item === 'goes on').length).toBeGreaterThan(20)
    await Promise.allSettled(tasks.map((task) => task.waitClose()))
    const calls = await Promise.all(Array.from({ length: 300 }, () => gateway.call('abs', [-1])))
    expect(new Set(calls)).toEqual(new Set([1]))
    expect((await gateway.terminate()).killed).toEqual([])
  })

  it('carries as many gateways as it can, and leaves nothing of the others', async () => {
    const mark = new Mark()
    await group.makeGateway(`popen//id=carrier//python=${limited}`)
    const spec = `popen//via=carrier//python=${debianPython.command}//${mark.key}`
    const made = await Promise.allSettled(Array.from({ length: 20 }, () => group.makeGateway(spec)))
    const failures = made.filter((each) => each.status === 'rejected')
    expect(failures.length).toBeGreaterThan(0)
    for (const { reason } of failures)
      expect(reason).toMatchObject({
        message: expect.stringMatching(/EAGAIN|Resource temporarily unavailable|can't start new thread/),
      })
    for (const each of made) if (each.status === 'fulfilled') await each.value.terminate()
    expect(await thoseThatStay(mark.pids)).toEqual([])
    expect(await group.get('carrier').eval('1 + 1')).toBe(2)
  })
})
