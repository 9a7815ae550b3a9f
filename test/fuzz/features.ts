/** What users do, a row a feature: each is done with a real worker, whose part is then said again, changed. Nothing is made of what comes. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Channel, Gateway, Group, LogSubscription, RemoteIterator } from '../../src/index.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-fuzz-'))
const library = fileURLToPath(new URL('../fixtures/pylib', import.meta.url))
writeFileSync(join(folder, 'a.txt'), 'some text\n'.repeat(2000))

/** Has something done; what it fails with is noted, and the rest goes on. */
export type Try = (does: (() => unknown) | PromiseLike<unknown>) => Promise<unknown>

/** A feature in use. */
export type Feature = (gateway: Gateway, attempt: Try, group: Group) => Promise<unknown>

async function take(items: AsyncIterable<unknown>): Promise<void> {
  let count = 0
  for await (const _ of items) if (++count > 1000) break
}

export const features: Readonly<Record<string, Feature>> = {
  channels: async (gateway, attempt) => {
    const echo = gateway.remoteExec('for item in channel: channel.send([item, len(item)])')
    const failing = gateway.remoteExec("channel.send(1)\nraise ValueError('a', 2, {'b': [3]})")
    const long = gateway.remoteExec("channel.send(b'x' * 70000); channel.send('y' * 300000)")
    const calledBack = gateway.remoteExec('for n in range(5): channel.send({"n": n})')
    const over = new Promise((resolve) => calledBack.setCallback(() => undefined, { endmarker: null }) ?? resolve(null))
    for (const item of ['ab', [1, 2], { a: 1 }]) await attempt(echo.send(item))
    echo.sendEnd()
    const all = [
      () => take(echo),
      ...[failing, long, long].map((each) => () => each.receive()),
      ...[failing, calledBack].map((each) => () => each.waitClose()),
      () => over,
    ]
    await Promise.all(all.map(attempt))
  },

  'channels of the worker': async (gateway, attempt) => {
    const task = gateway.remoteExec<Channel>(`
from _tendril import worker
for n in range(3):
    own = channel.gateway.newchannel()
    channel.send(own)
    own.send([n] * 3)
    own.send({'n': n, 'own': own})
    own.close('over' if n == 1 else None)`)
    const mine = gateway.newChannel()
    const reader = gateway.remoteExec('channel.send(mine.receive()); mine.close()', { mine })
    await attempt(mine.send('given'))
    for (let count = 0; count < 3; count++) {
      const own = (await attempt(task.receive())) as Channel | undefined
      if (typeof own === 'object' && own !== null && 'receive' in own) {
        await attempt(own.receive())
        await attempt(own.waitClose())
      }
    }
    await Promise.all([attempt(reader.receive()), attempt(mine.waitClose()), attempt(task.waitClose())])
  },

  calls: async (gateway, attempt) => {
    const calls = [
      () => gateway.call('os.path.join', ['a', 'b']),
      () => gateway.eval('{"a": (1, 2.5, None, b"x", {1, 2}), "b": 10 ** 30}'),
      () => gateway.call('nobody.nothing'),
      () => gateway.eval('1 / 0'),
      () => gateway.eval('object()'),
      () => gateway.eval('"x" * 300000'),
      () => gateway.execute('import decimal, datetime, uuid, fractions, collections'),
      () =>
        gateway.eval(
          '[decimal.Decimal("1.5"), datetime.datetime(2020, 1, 2, 3), uuid.UUID(int=5), fractions.Fraction(1, 3)]',
        ),
      () =>
        gateway.eval('[collections.OrderedDict(a=1), collections.deque([1], 5), range(3), 1j, datetime.timedelta(3)]'),
      () => gateway.py`${[1, 2]} + ${[3]}`,
    ]
    await Promise.all(calls.map(attempt))
  },

  'calls that are aborted': async (gateway, attempt) => {
    const abort = new AbortController()
    const calls = [
      attempt(() => gateway.call('time.sleep', [0.05], {}, { signal: abort.signal })),
      attempt(() => gateway.eval('1 + 1')),
      attempt(() => gateway.eval('(n for n in range(3))', {}, { signal: abort.signal })),
    ]
    abort.abort()
    await Promise.all(calls)
    await attempt(() => gateway.stats())
  },

  iterators: async (gateway, attempt) => {
    const iterator = (await attempt(gateway.eval('(n * n for n in range(40))'))) as RemoteIterator | undefined
    const failing = (await attempt(gateway.eval('(1 / (3 - n) for n in range(5))'))) as RemoteIterator | undefined
    const asynchronous = gateway.execute('async def count():\n    for n in range(5):\n        yield n')
    await attempt(asynchronous)
    const stream = (await attempt(gateway.call('count'))) as RemoteIterator | undefined
    for (const each of [iterator, failing, stream])
      if (typeof each === 'object' && each !== null && Symbol.asyncIterator in each) await attempt(take(each))
  },

  callbacks: async (gateway, attempt) => {
    using _ = gateway.expose({
      double: (value: unknown) => [value, value],
      fail: () => {
        throw new RangeError('no')
      },
    })
    await attempt(() => gateway.execute('def use(f, *args):\n    return [f(each) for each in args]'))
    const calls = [
      () => gateway.call('use', [(value: unknown) => ({ value }), 1, 'two', [3]]),
      () => gateway.eval('controller.double(4)', {}),
      () => gateway.remoteExec('channel.send(controller.double(channel.receive()))').waitClose({ timeout: 0 }),
      () => gateway.call('use', [() => Promise.reject(new Error('late')), 1]),
      () => gateway.remoteExec('channel.send(controller.fail())').receive(),
      () => gateway.remoteExec('channel.send(controller.absent(1))').receive(),
    ]
    await Promise.all(calls.map(attempt))
  },

  objects: async (gateway, attempt) => {
    const counter = await attempt(() => gateway.new('collections.Counter', [['a', 'b', 'a']]))
    const method =
      typeof counter === 'function' || (typeof counter === 'object' && counter !== null)
        ? (Reflect.get(counter, 'most_common') as unknown)
        : undefined
    if (typeof method === 'function') await attempt(method(1))
    const { modules } = gateway as unknown as {
      modules: Record<string, Record<string, (...args: unknown[]) => PromiseLike<unknown>>>
    }
    await attempt(Promise.resolve(modules['os']?.['getpid']?.()))
    await attempt(Promise.resolve(modules['json']?.['loads']?.('{"a": [1, 2]}')))
    await attempt(Promise.resolve(modules['json']?.['loads']?.('nonsense')))
    const service = await attempt(() => gateway.service('def add(a, b): return a + b', { expose: ['add'] }))
    const add = typeof service === 'object' && service !== null ? (Reflect.get(service, 'add') as unknown) : undefined
    if (typeof add === 'function') await attempt(add(1, 2))
    await attempt(() => gateway.stats())
  },

  looks: async (gateway, attempt) => {
    const log = (await attempt(gateway.onLog(() => undefined, { level: 'debug' }))) as LogSubscription | undefined
    await attempt(() =>
      gateway.execute("import logging\nfor n in range(5): logging.warning('number %d', n, extra={'n': [n]})"),
    )
    await attempt(() => gateway.eval('undefined_name + 1'))
    const looks = ['stacks', 'postMortem', 'remoteStatus', 'info', 'stats'] as const
    await Promise.all(looks.map((look) => attempt(() => gateway[look]())))
    await attempt(() => log?.close())
  },

  output: async (gateway, attempt) => {
    await attempt(() => gateway.execute('import sys\nprint("a line")\nsys.stderr.write("no end")\nprint("x" * 3000)'))
    await attempt(() => gateway.remoteExec('print("from a task")\nchannel.send(1)').waitClose())
  },

  copies: async (gateway, attempt) => {
    const target = `${folder}/there`
    await attempt(() => gateway.put(folder, target, { exclude: ['there*', 'back*'] } as never))
    await attempt(() => gateway.get(`${target}/a.txt`, `${folder}/back-${++copies}.txt`))
    await attempt(() => gateway.get(`${target}/nothing`, `${folder}/back-none`))
    await attempt(take(gateway.readFile(`${target}/a.txt`)))
  },

  modules: async (gateway, attempt) => {
    gateway.provide({ roots: [library] } as never)
    await attempt(() => gateway.remoteExec('import annotated, nothing_such').waitClose())
    await attempt(() => gateway.eval('__import__("annotated").__name__'))
  },

  forwards: async (gateway, attempt) => {
    const there = (await attempt(gateway.forward({ remoteListen: 0, to: 9 }))) as { close(): Promise<void> } | undefined
    const here = (await attempt(gateway.forward({ localListen: 0, to: 9 }))) as
      | { port: number; close(): Promise<void> }
      | undefined
    if (here !== undefined) {
      const socket = connect(here.port, '127.0.0.1').on('error', () => undefined)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.end('hello')
      void gateway.closed.then(() => socket.destroy())
      await closed
    }
    for (const each of [there, here]) await attempt(() => each?.close())
  },

  'a carrier': async (gateway, attempt, group) => {
    const inner = group.launchGateway(`popen//via=${gateway.id}`)
    void gateway.closed.then(() => inner.terminate({ timeout: 0 }))
    await attempt(inner.eval('6 * 7'))
    await attempt(inner.remoteExec('channel.send(channel.receive())').waitClose({ timeout: 0 }))
    await attempt(inner.terminate({ timeout: 100 }))
  },
}

let copies = 0
