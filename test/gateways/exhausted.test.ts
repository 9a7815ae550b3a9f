// Threads and memory that the system does not have, and stacks that are full: what cannot be done fails, and all the rest goes on.
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, GatewayClosedError, Group, RemoteError, type RemoteIterator } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, findInterpreter, newestInterpreter } from '../interpreters.js'
import { noInterpreter, titled } from '../testbeds/needs.js'

const any = anyInterpreter()
const pythons = [...new Set([findInterpreter('CPython 2.7') ?? any, any, newestInterpreter()])]
const pypy = findInterpreter('PyPy')

let group: Group
let printed: string
beforeEach(() => {
  printed = ''
  group = new Group({
    onOutput: ({ text }) => {
      printed += text
    },
  })
})
afterEach(() => group.terminate({ timeout: 0 }))

const noThreads = `
import resource
try:
    import _thread
except ImportError:
    import thread as _thread
resource.setrlimit(resource.RLIMIT_AS, (2048 << 20, 2048 << 20))
_thread.stack_size(2040 << 20)`
const noMemory = `
import resource
most = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (160 << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))`
const cannot = /RuntimeError: can't start new thread\. Allow the worker more processes and memory/
const mib = 1 << 20

/** A gateway whose session is open, after that code has run there. */
async function prepared(command: string, code: string): Promise<Gateway> {
  const gateway = await group.makeGateway(`popen//python=${command}`)
  await gateway.execute(code)
  return gateway
}

describe.each(pythons)('a worker on $name for which there are no more threads', ({ command }) => {
  it('fails the tasks that want one, and goes on', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.eval('0')
    const first = gateway.remoteExec(`${noThreads}\nchannel.send(1)\nchannel.send(channel.receive())`)
    await first.receive()
    const others = Array.from({ length: 20 }, () => gateway.remoteExec('channel.receive()'))
    for (const other of others) {
      const error = await errorOf(other.receive())
      expect(error).toBeInstanceOf(RemoteError)
      expect(error).toMatchObject({ type: 'RuntimeError', message: expect.stringMatching(cannot) })
      await other.waitClose().catch(() => undefined)
    }
    await first.send('goes on')
    expect(await first.receive()).toBe('goes on')
    await first.waitClose()
    await expect(gateway.get('nowhere', 'nowhere')).rejects.toThrow(cannot)
    await expect(group.makeGateway(`popen//via=${gateway.id}`)).rejects.toThrow(cannot)
    expect(await gateway.call('abs', [-1])).toBe(1)
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
  })

  it('fails what needs the session that cannot be opened, and opens it later', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const first = gateway.remoteExec(`${noThreads}\nchannel.send(1)\nchannel.receive()\n_thread.stack_size(0)`)
    await first.receive()
    const refused = gateway.remoteExec('1', { f: () => 1 }) // what was lent to it is given back, and so is the session
    await expect(refused.waitClose()).rejects.toThrow(cannot)
    const abortable = gateway.remoteExec('1', {}, { signal: new AbortController().signal })
    const ask = [
      gateway.stacks(),
      gateway.onLog(() => undefined),
      gateway.stats(),
      abortable.waitClose(),
      gateway.eval('1 + 1'),
    ]
    for (const asked of await Promise.allSettled(ask)) {
      expect(asked).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(cannot) } })
    }
    await first.send('there are more')
    await first.waitClose()
    expect(await gateway.eval('1 + 1')).toBe(2)
    expect(await gateway.stacks()).not.toEqual([])
    await using followed = await gateway.onLog(() => undefined)
    expect(followed.dropped).toBe(0)
  })

  it('fails the calls behind a task at once, and each of them alone', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const iterator = await gateway.eval<RemoteIterator<number>>('iter([1, 2])')
    const object = await gateway.ref.eval('[0]')
    const channel = gateway.newChannel()
    const task = gateway.remoteExec(`${noThreads}
channel.send(1)
channel.receive()
_thread.stack_size(0)`)
    await task.receive()
    const made = gateway.ref.eval('len(f.__name__)', { f: () => 1 })
    const results = await Promise.allSettled([
      gateway.call('abs', [-1]),
      gateway.eval('f()', { f: () => 1, big: new Uint8Array(2 * mib) }),
      gateway.eval('1', { when: new Map([[new Date(0), 1]]) }),
      iterator.next(),
      made,
      gateway.remoteExec('1', {}, { signal: new AbortController().signal }).waitClose(),
      gateway.remoteExec('channel.send(len(object))', { object }).receive(),
      gateway.call('abs', [channel]),
    ])
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(cannot) } })
    }
    await task.send('there are more')
    await task.waitClose()
    expect(await gateway.eval('1 + 1')).toBe(2)
    expect(await gateway.call('len', [object])).toBe(1)
    expect(await gateway.stats()).toMatchObject({ callbacks: 0, calls: 0, runningCalls: 0 })
  })

  it('performs a call that comes as a task ends', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(noThreads)
    for (let round = 0; round < 50; round++) {
      expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
      expect(await gateway.call('abs', [-1])).toBe(1)
    }
  })

  it('leaves the channel of a callback as it was', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec(`${noThreads}
import time
while not channel.items.items: time.sleep(0.001)
try:
    channel.setcallback(lambda item: None)
except Exception as e:
    channel.send(str(e))
channel.send(channel.receive())`)
    await channel.send('received')
    expect([await channel.receive(), await channel.receive()]).toEqual([
      expect.stringMatching(/^can't start new thread.*ulimit/),
      'received',
    ])
    await channel.waitClose()
  })

  it('interrupts what runs when it is to leave, and is ended when its time is up', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec(`${noThreads}
import time
channel.send(1)
while True:
    try:
        time.sleep(100)
    except KeyboardInterrupt:
        print('interrupted')`)
    await channel.receive()
    await gateway.terminate({ timeout: 500 })
    expect(printed).toBe('interrupted')
  })
})

describe.each(pythons)('a worker on $name with 160 MB of memory left', ({ command }) => {
  const receiveTwice = `
try:
    channel.receive()
except MemoryError as e:
    channel.send(type(e).__name__)
channel.send(channel.receive())`

  it.each([
    ['bytes', (): unknown => new Uint8Array(200 * mib)],
    ['text', (): unknown => Array.from({ length: 4 }, (_, number) => `${number}`.repeat(50 * mib))],
  ])('drops an item of 200 MB of %s, and takes the next one', async (_, make) => {
    const gateway = await prepared(command, noMemory)
    const channel = gateway.remoteExec(receiveTwice)
    await channel.send(make())
    await channel.send('next')
    expect(await channel.receive()).toBe('MemoryError')
    expect(await channel.receive()).toBe('next')
    await channel.waitClose()
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('fails what cannot be sent for want of memory, and goes on', async () => {
    const gateway = await prepared(command, noMemory)
    await expect(gateway.eval('["x" * (40 << 20) for _ in range(4)]')).rejects.toMatchObject({ type: 'MemoryError' })
    expect(await gateway.eval('1 + 1')).toBe(2)
    const channel = gateway.remoteExec(`
item = ['x' * (20 << 20) for _ in range(4)]
try:
    channel.send([item, ['y' * (20 << 20), 'z' * (20 << 20)]])
except MemoryError as e:
    channel.send(type(e).__name__)
del item
channel.send('next')`)
    expect([await channel.receive(), await channel.receive()]).toEqual(['MemoryError', 'next'])
    expect(await gateway.eval('1 + 1')).toBe(2)
  })
})

describe('a worker that cannot hold what it is given', () => {
  it('fails the very first task alone', async () => {
    const limit = `sh -c 'ulimit -v 200000; exec "$0" "$@"' ${any.command}`
    const gateway = group.launchGateway(`popen//timeout=10m//python=${limit}`) // which has to take it all first
    const first = gateway.remoteExec('channel.send(len(big))', { big: 'x'.repeat(120 * mib) })
    await expect(first.receive()).rejects.toMatchObject({ type: 'MemoryError' })
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('drops an item whose fragments it cannot hold, at each of them anew', async () => {
    const gateway = await group.makeGateway(`popen//python=${any.command}`)
    const channel = gateway.remoteExec(`
      from _tendril import arriving, DATA, MORE
      def refuse(size, more): raise MemoryError
      other, check = channel.gateway.newchannel(), arriving.check
      arriving.check = refuse
      try:
          for flags in (MORE, MORE, 0): arriving.take(other, DATA, flags, b'x' * 10)
      finally:
          arriving.check = check
      try:
          other.receive()
      except MemoryError as e:
          channel.send(str(e))`)
    expect(await channel.receive()).toBe('there was no memory for 30 bytes that arrived')
  })

  it('closes a channel, the reason for which cannot be held, with a MemoryError', async () => {
    const gateway = await prepared(any.command, noMemory)
    const closed = gateway.newChannel()
    const channel = gateway.remoteExec(
      `
channel.send(1)
try:
    closed.receive()
except closed.RemoteError as e:
    channel.send(str(e))`,
      { closed },
    )
    await channel.receive()
    await closed.close(`${'x'.repeat(36 * mib)}\u{1f600}`) // a text of which each character takes four bytes there
    expect(await channel.receive()).toMatch(/^MemoryError: there was no memory for \d+ bytes that arrived$/)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it.each<[string, (gateway: Gateway, big: Uint8Array) => Promise<unknown>]>([
    [
      'task',
      (gateway, big) => gateway.remoteExec('def f(channel, big): pass', { function: 'f', kwargs: { big } }).waitClose(),
    ],
    ['call', (gateway, big) => gateway.call('len', [big])],
    ['callback', (gateway, big) => gateway.eval('len(f())', { f: () => big })],
  ])('fails the %s alone', async (_, fail) => {
    const gateway = await prepared(any.command, noMemory)
    await expect(fail(gateway, new Uint8Array(200 * mib))).rejects.toMatchObject({ type: 'MemoryError' })
    expect(await gateway.eval('1 + 1')).toBe(2)
  })
})

describe.each(pythons)('an object on $name that cannot be made for want of memory', ({ command }) => {
  it.each([
    [
      'its arguments do not arrive',
      (): unknown => Array.from({ length: 4 }, (_, number) => `${number}`.repeat(50 * mib)),
    ],
    ['they cannot be read', (): unknown => new Uint8Array(120 * mib)],
  ])('fails what is asked of it, because %s, and nothing else', async (_, make) => {
    const gateway = await prepared(command, noMemory)
    await gateway.execute('full = bytearray(60 << 20)')
    const object = gateway.new('list', [[make()]])
    const asked = [gateway.call('len', [object]), Promise.resolve(object)]
    for (const result of await Promise.allSettled(asked)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { type: 'MemoryError' } })
    }
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('is that of a template whose text does not arrive, and all else goes on', async () => {
    const gateway = await prepared(command, noMemory)
    const text = `len('${'x'.repeat(170 * mib)}${randomBytes(mib).toString('hex')}')`
    const template = Object.assign([text], { raw: [text] })
    await expect(gateway.py(template)).rejects.toThrow(RemoteError)
    expect(printed).toContain('tendril worker: MemoryError: sources that arrived are left out')
    expect(await gateway.py`1 + ${1}`).toBe(2)
  })
})

describe.each([...pythons, ...(pypy ? [pypy] : [])])('code on $name that is deep in a recursion', ({ command }) => {
  it.each([
    ['sends numbers', 'channel.send(n)'],
    ['sends flat dicts', 'channel.send({"n": n, "deque": collections.deque()})'],
    ['sends ordered dicts', 'channel.send(collections.OrderedDict(n=n))'],
  ])('%s until it gets a RecursionError, and nothing is lost', async (_, send) => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec(`
import collections
deepest = []
def f(n):
    ${send}
    deepest[:] = [n]
    f(n + 1)
try:
    f(0)
except RuntimeError as e:
    channel.send(type(e).__name__)
channel.send(deepest[0])`)
    const items: unknown[] = []
    for await (const item of channel) items.push(item)
    const [error, deepest] = items.splice(-2) as [string, number]
    expect(error).toMatch(/^(Recursion|Runtime)Error$/)
    expect(items.length - deepest).toBeOneOf([1, 2]) // the last one was out already when its send was interrupted
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('calls the controller until it gets a RecursionError, and goes on', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    gateway.expose({ f: (n: number) => n })
    const code = 'def f(n):\n    controller.f(n)\n    f(n + 1)\nf(0)'
    await expect(gateway.execute(code)).rejects.toThrow(/recursion/i)
    expect(await gateway.eval('controller.f(2)')).toBe(2)
  })

  it('calls a function of the controller that iterates, wherever in that the stack is full, and goes on', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const sum = async (): Promise<number> => {
      let total = 0
      for await (const item of await gateway.eval<RemoteIterator<number>>('iter([1, 2, 3])')) total += item
      return total
    }
    gateway.expose({ sum })
    await gateway.execute(`
      import sys
      def down(left):
          if left <= 0: return controller.sum()
          return down(left - 1)
      def at(room):
          depth, frame = 0, sys._getframe()
          while frame: depth, frame = depth + 1, frame.f_back
          return down(sys.getrecursionlimit() - depth - room)
    `)
    expect(await gateway.call('down', [0])).toBe(6)
    const outcomes = new Set<unknown>()
    for (let room = 0; room < 120; room++) {
      outcomes.add(
        await gateway.call('at', [room]).catch((error: Error) => /recursion|RuntimeError/i.test(error.message)),
      )
    }
    expect([...outcomes].filter((outcome) => outcome !== true && outcome !== 6)).toEqual([])
    expect(await gateway.call('down', [0])).toBe(6)
    expect((await gateway.stats()).runningCalls).toBe(0)
  })

  it('receives what it had no room for later', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    const items = 2500 // more than any stack takes
    const channel = gateway.remoteExec(`
got = []
def f():
    got.append(channel.receive()['number'])
    f()
try:
    f()
except RuntimeError:
    pass
got.extend(item['number'] for item in channel)
channel.send(got == list(range(len(got))))
channel.send(len(got))`)
    for (let number = 0; number < items; number++) void channel.send({ number, long: 'x'.repeat(1000) })
    channel.sendEnd()
    expect([await channel.receive(), await channel.receive()]).toEqual([true, items])
    expect(await gateway.eval('1 + 1')).toBe(2)
  })
})

// The end of a thread may need a descriptor, in Python 3.8.
const endings = [findInterpreter('CPython 3.8') ?? any, newestInterpreter()]
it.each(endings)(
  'a worker on $name whose code has taken all descriptors goes on, and ends in peace',
  async (python) => {
    const gateway = await prepared(
      python.command,
      `
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True: os.open(os.devnull, os.O_RDONLY)
except EnvironmentError: pass`,
    )
    const first = gateway.remoteExec('channel.send(1)\nchannel.receive()')
    expect(await first.receive()).toBe(1)
    await gateway.remoteExec('1').waitClose() // in a thread, which ends
    expect(await gateway.eval('1 + 1')).toBe(2)
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(printed).toBe('')
  },
)

describe('a worker', () => {
  const noPypy = noInterpreter('PyPy')
  it.skipIf(noPypy)(
    titled('does not take threads that have begun for ones that could not, on PyPy', noPypy),
    async () => {
      const gateway = await group.makeGateway(`popen//python=${pypy?.command}`)
      const source = `
      import time
      begun = []
      for n in range(1000):
          channel.gateway.start_thread(begun.append, [[] for _ in range(1000)])
          while len(begun) <= n: time.sleep(0)
      channel.send(len(begun))`
      expect(await gateway.remoteExec(source).receive()).toBe(1000)
    },
  )

  it('of which the reading thread has no memory left ends, and says so', async () => {
    const gateway = await prepared(any.command, '')
    const channel = gateway.remoteExec(`
from _tendril import Worker
def on_chunk(self, *args):
    raise MemoryError
Worker.on_chunk = on_chunk
channel.send(1)
channel.receive()`)
    await channel.receive()
    gateway.newChannel()
    await expect(channel.receive()).rejects.toThrow(GatewayClosedError)
    expect(await gateway.closed).toMatchObject({
      stderrTail: expect.stringContaining('tendril worker: there is no memory left: MemoryError'),
    })
  })

  it.skipIf(process.platform !== 'linux')('for which no thread can be started says that', async () => {
    const few = 'ulimit -s 1000000; ulimit -v 600000' // kilobytes, for the stack of each and for all
    const gateway = group.launchGateway(`popen//python=sh -c '${few}; exec "$0" "$@"' ${any.command}`)
    expect(await gateway.closed).toMatchObject({
      stderrTail: expect.stringMatching(/the system has no more threads.*: RuntimeError: can't start new thread\n$/),
    })
  })

  it.each([
    ['reads', 'Worker.on_chunk = lambda *args: 1 / 0'],
    ['reads, and stderr is closed,', 'import os; os.close(2); Worker.on_chunk = lambda *args: 1 / 0'],
    ['runs tasks', 'worker.serve = worker.run = worker.wait = lambda *args: 1 / 0'],
    ['sends what is printed', 'worker.output.send = lambda *args: 1 / 0; print("")'],
  ])('whose code fails where it %s says that it is a fault of tendril', async (_, fault) => {
    const gateway = await prepared(any.command, '')
    const channel = gateway.remoteExec(`from _tendril import Worker, worker\nchannel.send(1)\n${fault}`)
    await channel.receive()
    gateway.newChannel()
    expect(await gateway.closed).toMatchObject({
      exitCode: 1,
      stderrTail: expect.stringContaining('tendril worker: a fault of tendril, please report it: ZeroDivisionError: '),
    })
    expect(printed.match(/a fault of tendril/g)).toHaveLength(1)
  })
})
