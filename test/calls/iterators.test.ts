// Results that go on: generators and iterators, asynchronous ones, and what is awaited.
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DumpError, type Gateway, GatewayClosedError, Group, RemoteError, RemoteIterator } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { until } from '../waiting.js'
import { pythons, pythons3 } from './pythons.js'

const group = new Group()
afterAll(() => group.terminate())

const programs = `
import time
log = []

def count(n):
    try:
        for i in range(n):
            yield i
    finally:
        log.append('closed')

def failing():
    yield 1
    yield 2
    raise ValueError('after two')

def slow(n, pause):
    for i in range(n):
        yield i
        time.sleep(pause)

def stepwise(n, taken):
    for i in range(n):
        yield i
        taken.receive()

made = 0

def large():
    global made
    for i in range(200):
        made = i
        yield bytes(bytearray(1 << 20))

def endless():
    try:
        i = 0
        while True:
            yield i
            i += 1
            log.append(i)
            del log[:-1]
    finally:
        log.append('closed')
`

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const threads = 'int([l for l in open("/proc/self/status") if l.startswith("Threads")][0].split()[1])'

describe.each(pythons)('$name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(programs)
  })

  it('iterates over a generator', async () => {
    const items = await gateway.call<RemoteIterator<number>>('count', [3])
    expect(items).toBeInstanceOf(RemoteIterator)
    expect(await all(items)).toEqual([0, 1, 2])
    expect(await all(items)).toEqual([])
    expect(await gateway.eval('log.pop()')).toBe('closed')
  })

  it('keeps the order of many items, asked for one by one or all at once', async () => {
    const expected = Array.from({ length: 20_000 }, (_, i) => i)
    expect(await all(await gateway.call<RemoteIterator>('count', [20_000]))).toEqual(expected)
    const items = await gateway.call<RemoteIterator>('count', [2000])
    const asked = await Promise.all(Array.from({ length: 2001 }, () => items.next()))
    expect(asked.map(({ value }) => value)).toEqual([...expected.slice(0, 2000), undefined])
    expect(asked.at(-1)).toEqual({ done: true, value: undefined })
  })

  it('iterates over iterators of all kinds', async () => {
    expect(await all(await gateway.py<RemoteIterator>`iter(${[1, 'a', null]})`)).toEqual([1, 'a', null])
    expect(await all(await gateway.py<RemoteIterator>`iter({'k': 1}.items())`)).toEqual([['k', 1]])
    expect(
      await all(await gateway.eval<RemoteIterator>('import itertools; itertools.islice(itertools.count(), 3)')),
    ).toEqual([0, 1, 2])
    expect(await all(await gateway.eval<RemoteIterator>('open("/dev/null")'))).toEqual([])
    expect(
      await all(
        await gateway.eval<RemoteIterator>(`
          class Own(object):
              left = 2
              def __next__(self):
                  self.left -= 1
                  if self.left < 0: raise StopIteration
                  return self.left
              next = __next__
          Own()
        `),
      ),
    ).toEqual([1, 0])
  })

  it('throws what a generator raises after the items before it', async () => {
    const found: unknown[] = []
    const run = async (): Promise<void> => {
      for await (const item of await gateway.call<RemoteIterator>('failing')) found.push(item)
    }
    const error = await errorOf(run())
    expect(found).toEqual([1, 2])
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({ message: 'ValueError: after two', frames: [{ name: 'failing' }] })
  })

  it('closes a generator whose loop is left', async () => {
    for await (const item of await gateway.call<RemoteIterator<number>>('endless')) if (item === 3) break
    await until(() => gateway.eval('log[-1] == "closed"'))
    await gateway.eval('del log[:]')
    for await (const item of await gateway.call<RemoteIterator<number>>('slow', [10, 0.001])) if (item === 3) break
    await gateway.eval('del log[:]')
  })

  it('runs nothing of one that nobody iterates', async () => {
    const items = await gateway.call<RemoteIterator>('endless')
    expect(await gateway.eval('log')).toEqual([])
    await items.return()
    expect(await gateway.eval('log')).toEqual([])
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  it('asks for more and more items as long as nothing else is asked for', async () => {
    await gateway.execute(`
      from _tendril.session import operations
      step, counts = operations['iterators.step'], []
      def counting(call, number, count):
          counts.append(count)
          return step(call, number, count)
      operations['iterators.step'] = counting
    `)
    expect(await all(await gateway.call<RemoteIterator>('count', [90]))).toHaveLength(90)
    expect(await gateway.eval('counts')).toEqual([1, 2, 4, 8, 64, 512])
    await gateway.execute("operations['iterators.step'] = step")
  })

  it('does not hold back the items of a slow generator', async () => {
    // Each is here before the next is made, or none would be.
    const taken = gateway.newChannel()
    const received: number[] = []
    for await (const item of await gateway.call<RemoteIterator<number>>('stepwise', [11, taken])) {
      received.push(item)
      await taken.send(item)
    }
    expect(received).toEqual(Array.from({ length: 11 }, (_, n) => n))
  })

  it('does not hold back items that came fast before one that is slow', async () => {
    const taken = gateway.newChannel()
    const items = await gateway.eval<RemoteIterator<number>>(
      `
      def bursts():
          for i in range(3):
              for j in range(100): yield j
              taken.receive()
      bursts()
    `,
      { taken },
    )
    let count = 0
    for await (const _ of items) if (++count % 100 === 0) await taken.send(count)
    expect(count).toBe(300)
  })

  it('answers other calls while it is iterated', async () => {
    let count = 0
    for await (const item of await gateway.call<RemoteIterator<number>>('endless')) {
      if (item % 50_000 !== 0) continue
      expect(await gateway.call('len', ['abc'])).toBe(3)
      if (++count === 5) break
    }
    await until(() => gateway.eval('log[-1] == "closed"'))
    await gateway.eval('del log[:]')
  })

  it('iterates over several at once, and within each other', async () => {
    const found: number[] = []
    for await (const one of await gateway.call<RemoteIterator<number>>('count', [3])) {
      for await (const other of await gateway.call<RemoteIterator<number>>('count', [3])) found.push(one * 3 + other)
    }
    expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    const many = await Promise.all(
      Array.from({ length: 20 }, () => gateway.call<RemoteIterator<number>>('count', [500])),
    )
    const lengths = await Promise.all(many.map(async (items) => (await all(items)).length))
    expect(lengths).toEqual(Array.from({ length: 20 }, () => 500))
    await gateway.eval('del log[:]')
  })

  it('performs a step in its order among calls', async () => {
    const items = await gateway.eval<RemoteIterator>('log.append(0); (log.append(n) for n in (1, 2, 3))')
    await items.next()
    const [step, last] = await Promise.all([items.next(), gateway.eval('log.pop()')])
    expect(step).toEqual({ done: false, value: null })
    expect([2, 3]).toContain(last) // of the step, which asks for 2 items and gives up the second one when it is slow
    await items.return()
    await gateway.eval('del log[:]')
  })

  it('iterates within a callback, also beyond the window, and calls back in the context of the loop', async () => {
    const context = new AsyncLocalStorage<string>()
    const seen = new Set<unknown>()
    const f = async (): Promise<number> => {
      const items = await gateway.eval<RemoteIterator>('(look([b"x" * (1 << 20)]) for _ in range(24))', {
        look: (item: unknown) => {
          seen.add(context.getStore())
          return item
        },
      })
      return (await all(items)).length
    }
    expect(await context.run('of the loop', () => gateway.eval('f()', { f }))).toBe(24)
    expect([...seen]).toEqual(['of the loop'])
  })

  it('throws what an item raises when it is looked at, after those before it', async () => {
    await gateway.execute(`
      import collections
      class Hostile(collections.OrderedDict):
          def items(self): raise self.error
      def hostile(error):
          item = Hostile()
          item.error = error
          return [1, 2, item, 4]
    `)
    for (const name of ['IOError', 'KeyError', 'SystemExit']) {
      const found: unknown[] = []
      const run = async (): Promise<void> => {
        for await (const item of await gateway.eval<RemoteIterator>(`iter(hostile(${name}('mine')))`)) found.push(item)
      }
      expect(String(await errorOf(run()))).toContain('mine')
      expect(found).toEqual([1, 2])
    }
  })

  it('names the item that cannot be sent, after those before it', async () => {
    const found: unknown[] = []
    const run = async (): Promise<void> => {
      for await (const item of await gateway.eval<RemoteIterator>('iter([1, 2, {"x": [3, object()]}, 4])'))
        found.push(item)
    }
    const error = await errorOf(run())
    expect(found).toEqual([1, 2])
    expect(error).toBeInstanceOf(DumpError)
    expect(error).toMatchObject({ path: 'result[2].x[1]' })
    expect(String(error)).toContain('cannot send result[2].x[1]')
  })

  it('has threads for none that is not iterated', async () => {
    const held = await Promise.all(Array.from({ length: 50 }, () => gateway.call<RemoteIterator>('endless')))
    const started = await Promise.all(held.slice(0, 5).map((items) => items.next()))
    expect(started.map(({ value }) => value)).toEqual([0, 0, 0, 0, 0])
    for (const items of held) await items.return()
    await until(async () => (await gateway.eval<number>(threads)) < 12)
    expect((await gateway.remoteStatus()).numChannels).toBeLessThan(8)
    await gateway.eval('del log[:]')
  })

  it('runs ahead no further than the window', async () => {
    const items = await gateway.call<RemoteIterator<Uint8Array>>('large')
    expect((await items.next()).value).toHaveLength(1 << 20)
    await gateway.call('time.sleep', [0.2])
    expect(await gateway.get('made')).toBeLessThan(24)
    let count = 1
    for await (const item of items) count += item.length === 1 << 20 ? 1 : 0
    expect(count).toBe(200)
  })

  it('ends an iteration when the gateway ends', async () => {
    const other = await group.makeGateway(`popen//python=${command}`)
    await other.execute(programs)
    const items = await other.call<RemoteIterator>('slow', [2, 1000])
    expect((await items.next()).done).toBe(false)
    const next = items.next()
    process.kill((await other.info()).pid, 'SIGKILL')
    await expect(next).rejects.toThrow(GatewayClosedError)
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })
})

describe.each(pythons3)('$name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(`
      import asyncio, threading, time
      log = []
      async def double(n):
          await asyncio.sleep(0)
          return 2 * n
      here = 0
      async def together(n, others):
          global here
          here += 1
          while here < others: await asyncio.sleep(0.001)
          return 2 * n
      async def fails():
          await asyncio.sleep(0)
          raise ValueError('in a coroutine')
      async def count(n):
          try:
              for i in range(n):
                  await asyncio.sleep(0)
                  yield i
          finally:
              await asyncio.sleep(0)
              log.append('closed')
      async def never():
          yield 1
          try:
              await asyncio.sleep(1000)
          finally:
              log.append('left')
      taken = 0
      async def bursts():
          for i in range(3):
              for j in range(100): yield j
              while taken <= i: await asyncio.sleep(0.001)
      async def thread():
          return threading.current_thread().ident, id(asyncio.get_event_loop())
      async def fast(n):
          for i in range(n): yield i
      async def generator():
          return (i for i in range(3))
    `)
  })

  it('awaits coroutines, many at the same time', async () => {
    expect(await gateway.call('double', [4])).toBe(8)
    const calls = Array.from({ length: 50 }, (_, n) => gateway.call('together', [n, 50])) // none ends before all have begun
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n))
    expect(await gateway.eval('thread()')).toEqual(await gateway.eval('thread()'))
  })

  it('others go on when one ends the event loop, or stops it', async () => {
    await gateway.execute(`
      import asyncio, sys
      async def ends():
          sys.exit(3)
      async def in_background(how):
          loop = asyncio.get_event_loop()
          if how == 'exit': loop.create_task(ends())
          elif how == 'stop': loop.stop()
          else: loop.call_soon(loop.stop)
          await asyncio.sleep(0.01)
          return how
      async def fine(n):
          await asyncio.sleep(0.02)
          return n
    `)
    for (const how of ['exit', 'stop', 'stop soon']) {
      const calls = [gateway.call('fine', [1]), gateway.call('in_background', [how]), gateway.call('fine', [2])]
      expect(await Promise.all(calls)).toEqual([1, how, 2])
      expect(await gateway.call('fine', [3])).toBe(3)
    }
    await expect(gateway.call('ends')).rejects.toThrow(/SystemExit/)
  })

  it('tells whoever waits when somebody cancels all tasks that there are, begun or not', async () => {
    await gateway.execute(`
      import asyncio
      async def plain(): return 1
      async def cancels():
          yield 1
          for task in getattr(asyncio, 'all_tasks', getattr(asyncio.Task, 'all_tasks', None))(): task.cancel()
          yield 2
      def doomed(loop, coroutine, **options):
          task = asyncio.Task(coroutine, loop=loop, **options)
          task.cancel()
          return task
      async def doom():
          global loop
          loop = asyncio.get_event_loop()
          loop.set_task_factory(doomed)
    `)
    const items: unknown[] = []
    const iterate = async (name: string) => {
      for await (const item of await gateway.call<RemoteIterator>(name)) items.push(item)
    }
    await expect(iterate('cancels')).rejects.toThrow('CancelledError')
    expect(items).toEqual([1, 2])
    await gateway.call('doom')
    await expect(gateway.call('plain')).rejects.toThrow('CancelledError')
    await expect(iterate('cancels')).rejects.toThrow('CancelledError')
    await gateway.execute('loop.set_task_factory(None)')
    expect(await gateway.call('plain')).toBe(1)
  })

  it('gives what a coroutine raises, with its frames', async () => {
    const error = await errorOf(gateway.call('fails'))
    expect(error).toMatchObject({ message: 'ValueError: in a coroutine', frames: [{ name: 'fails' }] })
  })

  it('iterates over asynchronous generators', async () => {
    expect(await all(await gateway.call<RemoteIterator>('count', [3]))).toEqual([0, 1, 2])
    expect(await gateway.eval('log.pop()')).toBe('closed')
    expect(await all(await gateway.call<RemoteIterator>('fast', [20_000]))).toHaveLength(20_000)
    expect(await all(await gateway.call<RemoteIterator>('generator'))).toEqual([0, 1, 2])
  })

  it('closes an asynchronous generator whose loop is left, also while it waits', async () => {
    for await (const item of await gateway.call<RemoteIterator>('count', [1e6])) if (item === 3) break
    await until(() => gateway.eval('log == ["closed"]'))
    for await (const _ of await gateway.call<RemoteIterator>('never')) break
    await until(() => gateway.eval('log == ["closed", "left"]'))
  })

  it('does not hold back items of asynchronous generators', async () => {
    let count = 0
    for await (const _ of await gateway.call<RemoteIterator<number>>('bursts'))
      if (++count % 100 === 0) await gateway.execute('taken += 1')
    expect(count).toBe(300)
  })

  it.skipIf(name === 'CPython 3.6')('awaits in templates and evaluated text', async () => {
    expect(
      await gateway.py`
      a = await double(${3})
      a + 1
    `,
    ).toBe(7)
    expect(await gateway.eval('a')).toBe(6)
    expect(await gateway.py`[x async for x in count(${2})]`).toEqual([0, 1])
  })
})

it('what closing a generator raises is printed', async () => {
  const lines: string[] = []
  await using loud = new Group({ onOutput: ({ text }) => lines.push(text) })
  const gateway = await loud.makeGateway('popen')
  await gateway.execute(`
    import asyncio
    def ordinary():
        try: yield 1
        finally: raise ValueError('of one')
    async def asynchronous():
        yield 1
        try: await asyncio.sleep(1000)
        finally: raise ValueError('of an asynchronous one')
  `)
  for (const name of ['ordinary', 'asynchronous']) {
    for await (const _ of await gateway.call<RemoteIterator>(name)) break
  }
  const told = ['ValueError: of one', 'ValueError: of an asynchronous one']
  await expect.poll(() => lines).toEqual(expect.arrayContaining(told))
  expect(lines.filter((line) => told.includes(line))).toHaveLength(2)
})
