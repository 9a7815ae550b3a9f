// What Python can send and JavaScript cannot hold: the call that it belongs to fails, with what is wrong, and no other does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, LoadError, type LogRecord, RemoteError, type RemoteIterator } from '../../src/index.js'
import { remoteErrorOf } from '../failing.js'
import { pythons } from './pythons.js'

const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

describe.each(pythons)('$name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(`
      nan = float('nan')
      twins = set([nan, float('nan')])
      if len(twins) < 2:  # PyPy
          twins = set([u'\\U0001f600', u'\\ud83d\\ude00'])
      from collections import OrderedDict
      smile, pair = u'\\U0001f600', u'\\ud83d' + u'\\ude00'
      class Apart(str):
          def __eq__(self, other): return self is other
          __hash__ = str.__hash__
      deep = []
      for _ in range(1500): deep = [deep]
      def fail(*args): raise ValueError('17', *args)
      def catch(function, *args):
          try: return function(*args)
          except Exception as e: return str(e)
    `)
  })

  it.each([
    ['two members that are one', 'twins', /two members of a set are one member/],
    ['two keys that are one', 'dict.fromkeys([5] + list(twins))', /two keys of a dict are one key/],
    ['two text keys that are one', 'dict.fromkeys([smile, pair, "key"])', /two keys of a dict are one key/],
    ['two keys of two classes that are one', '{Apart("key"): 1, "key": 2}', /two keys of a dict are one key/],
    [
      'two keys of an OrderedDict that are one',
      'OrderedDict([(smile, 1), (pair, 2)])',
      /two keys of a dict are one key/,
    ],
    ['a key that is one', '{(nan, 1): [twins]}', /two members/],
    ['a value deep inside', '[1, {"a": (2, [twins])}]', /two members/],
  ])('fails a call whose result has %s', async (_, source, message) => {
    const beside = gateway.eval('len(twins)')
    const failing = gateway.eval(source)
    await expect(failing).rejects.toThrow(message)
    await expect(failing).rejects.toBeInstanceOf(LoadError)
    await expect(
      gateway.call('eval', [source, await gateway.ref.eval('globals()')], undefined, { timeout: 60_000 }),
    ).rejects.toThrow(message)
    const list = await gateway.ref.eval<{ pop(): unknown }>('[twins]')
    await expect((async () => await list.pop())()).rejects.toThrow(/two members/)
    expect(await beside).toBe(2)
  })

  it('keeps type, message and other arguments of an exception, of a call, a task and a cause', async () => {
    const failures = [
      remoteErrorOf(gateway.eval('fail(twins, 3)')),
      remoteErrorOf(
        gateway.call('fail', [1], undefined, { timeout: 60_000 }).then(
          () => gateway.eval('fail(twins, 3)'),
          () => gateway.eval('fail(twins, 3)', undefined, { timeout: 60_000 }),
        ),
      ),
      remoteErrorOf(gateway.remoteExec('import __main__; __main__.fail(__main__.twins, 3)').waitClose()),
    ]
    for (const { type, args } of await Promise.all(failures)) {
      expect([type, args[0], args[2]]).toEqual(['ValueError', '17', 3])
      expect(args[1]).toMatch(/^<cannot load an item: .*two members of a set/)
    }
  })

  it('fails the question of a callback whose arguments cannot be read, and answers others', async () => {
    const got = (value: unknown): string => `got ${String(value)}`
    expect(await gateway.eval('catch(f, twins)', { f: got })).toMatch(/LoadError: cannot load an item.*two members/)
    expect(await gateway.eval('catch(f, 1)', { f: got })).toBe('got 1')
    using _ = gateway.expose({ got })
    expect(await gateway.eval('catch(controller.got, [twins])')).toMatch(/LoadError/)
  })

  it('ends an iterator whose item cannot be read, and closes its generator', async () => {
    await gateway.execute(`
      closed = []
      def items():
          try:
              yield 1
              yield twins
              while True: yield 2
          finally: closed.append(1)
    `)
    const items = await gateway.call<RemoteIterator>('items')
    expect(await items.next()).toEqual({ done: false, value: 1 })
    await expect(items.next()).rejects.toThrow(LoadError)
    expect(await items.next()).toEqual({ done: true, value: undefined })
    await expect.poll(() => gateway.get('closed')).toEqual([1])
  })

  it.each([
    ['numbers', 'list(range(600))', '[]'],
    ['texts and tuples', '[u"a%d" % i if i % 3 else (i, (i, u"b", 1.5, None), ()) for i in range(400)]', '["after"]'],
    [
      'what is shared',
      '[shared, {"key": shared, 5: [shared]}, (shared,), True, 10**30, b"\\xff\\x00"] * 9',
      '[shared] * 40',
    ],
    ['objects', '[when, {when: u"x"}, set([1, 2]), frozenset([u"y"]), -1, 70000, OrderedDict([(1, 2)])] * 7', '[when]'],
    ['two batches', '[u"t%d" % i for i in range(1500)]', 'list(range(900))'],
  ])('gives the items ahead of one that cannot be read: %s', async (_, ahead, behind) => {
    await gateway.execute('import datetime\nwhen = datetime.date(2020, 1, 2)\nshared = {"x": [1, 2]}')
    const readable = await gateway.eval<unknown[]>(ahead)
    for (const odd of ['twins', '(1, 2, [twins])', '{"key": [0, {"deep": twins}], "z": 1}', 'dict.fromkeys(twins)']) {
      const items: unknown[] = []
      const iterate = async (): Promise<void> => {
        for await (const item of await gateway.eval<RemoteIterator>(`iter(${ahead} + [${odd}] + ${behind})`))
          items.push(item)
      }
      await expect(iterate()).rejects.toThrow(/cannot load an item: two (members|keys)/)
      expect(items).toEqual(readable)
    }
  })

  it('tells what is wrong with an extra value of a log record, and goes on', async () => {
    const records: LogRecord[] = []
    await using _ = await gateway.onLog((record) => void records.push(record))
    await gateway.eval(
      'import logging; logging.warning("one", extra={"odd": twins, "even": [2]}); logging.warning("two")',
    )
    await expect.poll(() => records.map(({ message }) => message)).toEqual(['one', 'two'])
    expect(records[0]?.extra).toEqual({ odd: expect.stringMatching(/two members/), even: [2] })
  })
})

describe('what is nested too deeply', () => {
  it('fails its call alone', async () => {
    const gateway = await group.makeGateway(`popen//python=${(pythons.at(-2) ?? pythons[0])?.command}`)
    await gateway.execute('import sys; sys.setrecursionlimit(10**5)\ndeep = []\nfor _ in range(1500): deep = [deep]')
    await expect(gateway.get('deep')).rejects.toThrow(LoadError)
    const error = await remoteErrorOf(gateway.eval('raise ValueError(deep)'))
    expect(error).toBeInstanceOf(RemoteError)
    expect([error.type, error.args]).toEqual(['ValueError', [expect.stringMatching(/deep|nested/)]])
  })
})
