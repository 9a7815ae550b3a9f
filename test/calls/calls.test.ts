// Calls by name: what arrives, what cannot be sent, beside tasks and each other, and what becomes of them when the worker is killed.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  DumpError,
  type Gateway,
  GatewayClosedError,
  Group,
  type OutputLine,
  Range,
  RemoteError,
  Tuple,
} from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { pythons } from './pythons.js'

const spec = `popen//python=${anyInterpreter().command}`
const output: OutputLine[] = []
const group = new Group({ onOutput: (line) => output.push(line) })
afterAll(() => group.terminate())

describe.each(pythons)('$name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it('calls functions with arguments, keyword arguments, or neither', async () => {
    expect(await gateway.call('os.path.join', ['a', 'b'])).toBe('a/b')
    expect(await gateway.call('dict', [], { a: 1, class: 2 })).toEqual({ a: 1, class: 2 })
    expect(await gateway.call('dict', null, null)).toEqual({})
    expect(await gateway.call('dict', undefined, undefined)).toEqual({})
    expect(await gateway.call<number>('sorted', [[3, 1, 2]], { reverse: true })).toEqual([3, 2, 1])
  })

  it.each([
    '{10**400: 1}',
    'set([10**400, -10**400])',
    '{(10**5000, (10**309,)): [10**5000]}',
    '{2**1024: 1, float("inf"): 2, -float("inf"): 3}',
    '{1e300: 1, 10**20: 2, -2**63: 3, 2**53: 4}',
    '{(1,): "number", (u"1",): "text", (None,): 0, (u"null",): 1}',
  ])('takes back %s as it was', async (text) => {
    expect(await gateway.eval('value == eval(text)', { value: await gateway.eval(text), text })).toBe(true)
  })

  it('gives values that users expect', async () => {
    expect(await gateway.get<Tuple>('sys.version_info')).toBeInstanceOf(Tuple)
    expect(await gateway.get('sys.version_info[0]').catch(() => 'no path')).toBe('no path')
    expect(await gateway.call('range', [3])).toEqual(name === 'CPython 2.7' ? [0, 1, 2] : new Range(0, 3))
    const view = name === 'CPython 2.7' ? 'view' : ''
    expect(await gateway.eval(`{'a': 1}.${view}keys()`)).toEqual(['a'])
    expect(await gateway.eval(`{'a': 1}.${view}values()`)).toEqual([1])
    expect(await gateway.eval(`[{'a': 1}.${view}items()]`)).toEqual([[new Tuple<unknown>('a', 1)]])
    expect(await gateway.eval(`import collections; collections.OrderedDict(a=1).${view}keys()`)).toEqual(['a'])
    expect(await gateway.eval('import time; time.gmtime(0)')).toEqual(new Tuple(1970, 1, 1, 0, 0, 0, 3, 1, 0))
    expect(await gateway.get('sys.flags')).toBeInstanceOf(Tuple)
  })

  it.each<[string, string, (on: Gateway) => Promise<unknown>]>([
    [
      'an argument',
      'args[0].users[3].created',
      (on) => on.call('len', [{ users: [1, 2, 3, { created: Symbol('s') }] }]),
    ],
    ['a keyword argument', 'kwargs.x', (on) => on.call('dict', [], { x: Symbol('s') })],
    ['a member of one', 'kwargs["not a name"][1]', (on) => on.call('dict', [], { 'not a name': [1, new WeakMap()] })],
    ['a name', 'names.y', (on) => on.eval('y', { y: new WeakMap() })],
    ['a value of a template', 'values[1].z', (on) => on.py`${1} + ${{ z: new WeakMap() }}`],
  ])('says where in the call %s cannot be sent', async (_, path, call) => {
    const error = await errorOf(call(gateway))
    expect(error).toBeInstanceOf(DumpError)
    expect(error).toMatchObject({ path })
    expect(String(error)).toContain(`DumpError: cannot send ${path}: `)
    expect(await gateway.call('len', [[1]])).toBe(1)
  })

  it('says where in a result cannot be sent', async () => {
    for (const [text, path] of [
      ['{"x": [1, 2, 3, object()]}', 'result.x[3]'],
      ['object()', 'result'],
      ['[(1, [object()])]', 'result[0][1][0]'],
    ] as const) {
      const error = await errorOf(gateway.eval(text))
      expect(error).toBeInstanceOf(DumpError)
      expect(error).toMatchObject({ path })
      expect(String(error)).toContain(`cannot send ${path}: `)
    }
    await gateway.eval('deep = []\nfor _ in range(100000): deep = [deep]')
    expect(await errorOf(gateway.get('deep'))).toBeInstanceOf(DumpError)
    expect(await gateway.call('len', [[1]])).toBe(1)
  })

  it('survives functions that recurse without end, that exit, and whose exceptions are strange', async () => {
    await gateway.execute(`
      def recurse(): return recurse()
      def leave(): raise SystemExit(3)
      class Strange(Exception):
          def __str__(self): raise ValueError('no text')
      def strange(): raise Strange()
    `)
    expect(await errorOf(gateway.call('recurse'))).toMatchObject({ code: 'ERR_REMOTE' })
    expect(await errorOf(gateway.call('leave'))).toMatchObject({ type: 'SystemExit' })
    expect(await errorOf(gateway.call('strange'))).toMatchObject({ type: 'Strange' })
    expect(await gateway.call('len', [[1]])).toBe(1)
  })

  it('answers while a task has the main thread', async () => {
    const task = gateway.remoteExec('channel.send(1); channel.receive()')
    await task.receive()
    expect(await gateway.call('len', [[1]])).toBe(1)
    const calls = await Promise.all(Array.from({ length: 200 }, (_, n) => gateway.call('abs', [-n])))
    expect(calls).toEqual(Array.from({ length: 200 }, (_, n) => n))
    void task.send(0)
    await task.waitClose()
  })

  it('runs one after the other; with threads, so many beside each other', async () => {
    // Each waits until as many as may be there have come: they are, and no more.
    const source = `
      import threading, time
      active, most, come, lock = 0, 0, 0, threading.Lock()
      def work(together):
          global active, most, come
          with lock:
              active += 1
              come += 1
              most, awaited = max(most, active), come + -come % together
          while come < awaited: time.sleep(0.001)
          with lock: active -= 1
    `
    await using threaded = await group.makeGateway(`popen//python=${command}//threads=3`)
    for (const [on, most] of [
      [gateway, 1],
      [threaded, 3],
    ] as const) {
      await on.execute(source)
      await Promise.all(Array.from({ length: 9 }, () => on.call('work', [most])))
      expect(await on.get('most')).toBe(most)
    }
  })

  it('answers in main_thread_only, in the order of the calls', async () => {
    const other = await group.makeGateway(`popen//python=${command}//execmodel=main_thread_only`)
    await other.execute(`
      import threading
      order = []
      def note(n):
          order.append(n)
          return threading.current_thread() is threading.main_thread() if hasattr(threading, 'main_thread') else True
    `)
    const task = other.remoteExec('import time; time.sleep(0.1)')
    const calls = await Promise.all(Array.from({ length: 20 }, (_, n) => other.call('note', [n])))
    expect(new Set(calls)).toEqual(new Set([true]))
    expect(await other.get('order')).toEqual(Array.from({ length: 20 }, (_, n) => n))
    await task.waitClose()
    const found: unknown[] = []
    for await (const n of await other.eval<AsyncIterable<number>>('iter(range(5))'))
      found.push(await other.call('abs', [n]))
    expect(found).toEqual([0, 1, 2, 3, 4])
  })

  it('has prints of a call arrive before its result', async () => {
    const texts = (): string[] => output.filter(({ gateway: of }) => of === gateway.id).map(({ text }) => text)
    for (let n = 0; n < 20; n++) {
      await gateway.eval(
        'import os, sys\nsys.stdout.write("say %d\\n" % n)\nos.write(2, b"c %d\\n" % n if False else b"c\\n")',
        { n },
      )
      expect(texts().at(-2)).toMatch(/say|c/)
      expect(texts()).toContain(`say ${n}`)
    }
  })

  it('passes exceptions with their causes and lines', async () => {
    await gateway.execute({ text: 'def fail(n):\n    return {}[n]\n', name: 'faulty.py' })
    const error = await errorOf(gateway.call('fail', [7]))
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({
      message: 'KeyError: 7',
      args: [7],
      frames: [{ file: 'faulty.py', line: 2, name: 'fail', text: 'return {}[n]' }],
    })
  })
})

it('calls through another gateway', async () => {
  await group.makeGateway(`${spec}//id=carrier`)
  const far = await group.makeGateway(`${spec}//via=carrier`)
  expect(await far.call('len', [[1, 2]])).toBe(2)
  expect(await far.py`${'x'} * ${3}`).toBe('xxx')
  let sum = 0
  for await (const n of await far.eval<AsyncIterable<number>>('iter(range(1000))')) sum += n
  expect(sum).toBe(499_500)
})

it('holds nothing of 10,000 calls', async () => {
  const gateway = await group.makeGateway(spec)
  const counts = `
    import gc, os
    from _tendril import session, worker
    gc.collect()
    s = session.session
    [len(gc.get_objects()), len(os.listdir('/proc/self/task')), len(s.running), len(s.waiting), len(worker.executing)]
  `
  const round = async (): Promise<number[]> => {
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 1000 }, (_, n) => gateway.call('abs', [-n])))
      for await (const _ of await gateway.eval<AsyncIterable<number>>('iter(range(3))')) break
    }
    return gateway.eval<number[]>(counts)
  }
  await round()
  const [objects = 0] = await round()
  const [later = 0, threads, ...rest] = await round()
  expect(Math.abs(later - objects)).toBeLessThan(200)
  expect(threads).toBeLessThan(12)
  expect(rest).toEqual([1, 0, 1])
})

it('makes calls before the worker is there, and keeps their order', async () => {
  const gateway = group.launchGateway(spec)
  const calls = [
    gateway.execute('seen = []'),
    ...Array.from({ length: 5 }, (_, n) => gateway.eval('seen.append(n)', { n })),
  ]
  await Promise.all(calls)
  expect(await gateway.get('seen')).toEqual([0, 1, 2, 3, 4])
})

describe('a worker that is killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-calls-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  const deliveryOf = (outcome: PromiseSettledResult<unknown>): string => {
    if (outcome.status === 'fulfilled') return 'completed'
    return outcome.reason instanceof GatewayClosedError
      ? (outcome.reason.delivery ?? 'nothing')
      : String(outcome.reason)
  }

  it.each([0, 1, 3, 10, 30])('at any moment (%d ms), each of 1,000 calls says what became of it', async (ms) => {
    const gateway = await group.makeGateway(spec)
    const { pid } = await gateway.info()
    const file = join(folder, `done-${ms}`)
    await gateway.execute(`
      import os, time
      fd = os.open(${JSON.stringify(file)}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
      def do(n, load):
          os.write(fd, b'%d ' % n)
          time.sleep(0.0002)
          return n
    `)
    const load = 'x'.repeat(20_000) // more than the pipe holds
    const calls = Array.from({ length: 1000 }, (_, n) => gateway.call('do', [n, load]))
    const settled = Promise.allSettled(calls)
    setTimeout(() => process.kill(pid, 'SIGKILL'), ms)
    const outcomes = (await settled).map(deliveryOf)
    const done = new Set(
      (existsSync(file) ? readFileSync(file, 'utf8') : '').trim().split(' ').filter(Boolean).map(Number),
    )
    expect(outcomes.filter((outcome) => !['completed', 'unknown', 'not-sent'].includes(outcome))).toEqual([])
    const wrong = outcomes.flatMap((outcome, n) =>
      (outcome === 'completed' && !done.has(n)) || (outcome === 'not-sent' && done.has(n)) ? [`${n} ${outcome}`] : [],
    )
    expect(wrong).toEqual([])
    expect(outcomes.at(-1)).toBe('not-sent')
  })

  it('calls made afterwards are not sent', async () => {
    const gateway = await group.makeGateway(spec)
    await gateway.call('len', [[]])
    process.kill((await gateway.info()).pid, 'SIGKILL')
    await gateway.closed
    for (const call of [gateway.call('len', [[]]), gateway.eval('1'), gateway.py`1`, gateway.execute('1')]) {
      expect(await errorOf(call)).toMatchObject({ code: 'ERR_GATEWAY_CLOSED', delivery: 'not-sent', signal: 'SIGKILL' })
    }
  })
})
