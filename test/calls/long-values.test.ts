// Values of any length go either way, by whatever call; what is longer than it may be fails alone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DumpError, type Gateway, Group, LoadError, RemoteError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, interpreters } from '../interpreters.js'

const MiB = 2 ** 20
const all = interpreters().filter(({ name }) => /^CPython|^PyPy/.test(name))
const some = [all[0], anyInterpreter(), all.filter(({ name }) => name.startsWith('CPython')).at(-1)]
const pythons = [...new Set(some)].filter((each) => each !== undefined)
const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

const defining = `
def text(n): return u"x" * n
def failing(n): raise ValueError(u"x" * n)
def items(n):
    for _ in range(3): yield u"x" * n
class Long(object):
    def __repr__(self): return "r" * (3 * 2 ** 20)
    def method(self, n): return text(n)
`

describe.each(pythons)('text of 3 MiB from $name', ({ command }) => {
  const spec = `popen//python=${command}`
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(spec)
    await gateway.execute(defining)
  })

  const n = 3 * MiB
  it.each<[way: string, ask: () => Promise<unknown>]>([
    ['eval', () => gateway.eval('text(n)', { n })],
    ['call', () => gateway.call('text', [n])],
    ['get', () => gateway.execute('kept = text(3 * 2 ** 20)').then(() => gateway.get('kept'))],
    ['py', () => gateway.py`text(${n})`],
    ['a module', () => gateway.modules['__main__'].text(n) as Promise<unknown>],
    ['an object', () => gateway.new<{ method(n: number): string }>('Long').method(n)],
    ['a task', () => gateway.remoteExec('channel.send(u"x" * n)', { n }).receive()],
    [
      'a callback',
      async () => {
        let got: unknown
        const setGot = (value: unknown): void => {
          got = value
        }
        await gateway.eval('f(text(n)) and None', { n, f: setGot })
        return got
      },
    ],
  ])('arrives by %s', async (_, ask) => {
    expect(await ask()).toBe('x'.repeat(n))
  })

  it('arrives as a repr, and from a service and an iterator', async () => {
    expect(await gateway.new('Long').$repr()).toBe('r'.repeat(n))
    await using service = await gateway.service<{ text(n: number): string }>({ text: defining }, { expose: ['text'] })
    expect((await service.text(n)).length).toBe(n)
    const lengths = []
    for await (const item of await gateway.call<AsyncIterable<string>>('items', [n])) lengths.push(item.length)
    expect(lengths).toEqual([n, n, n])
  })

  it('arrives beside others, each whole', async () => {
    const texts = await Promise.all(
      Array.from({ length: 20 }, (_, at) => gateway.eval<string>('text(n)', { n: MiB + at })),
    )
    expect(texts.map((text) => text.length)).toEqual(Array.from({ length: 20 }, (_, at) => MiB + at))
  })

  it('arrives as the message of a failure', async () => {
    const error = await errorOf(gateway.call('failing', [n]))
    expect(error).toBeInstanceOf(RemoteError)
    expect((error as RemoteError).args).toEqual(['x'.repeat(n)])
  })

  it('may be an int', async () => {
    expect(await gateway.eval('(1 << 2 ** 24) + 1')).toBe((1n << 16_777_216n) + 1n)
  })

  it('goes there', async () => {
    expect(await gateway.eval('len(t)', { t: 'x'.repeat(n) })).toBe(n)
    expect(await gateway.eval('i.bit_length()', { i: 1n << 16_777_216n })).toBe(16_777_217)
  })
})

describe('text of 3 MiB', () => {
  it('arrives where one thread does everything, and from what is awaited', async () => {
    await using own = new Group()
    const gateway = await own.makeGateway(`popen//python=${anyInterpreter().command}//execmodel=main_thread_only`)
    await gateway.execute('async def text(n): return "x" * n')
    expect(await gateway.eval('"x" * 3 * 2 ** 20')).toHaveLength(3 * MiB)
    expect(await gateway.call('text', [3 * MiB])).toHaveLength(3 * MiB)
  })
})

describe('maxItemBytes', () => {
  const spec = `popen//python=${anyInterpreter().command}`
  const limits = { maxItemBytes: 100_000 }
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(spec, limits)
    await gateway.execute(defining)
  })

  const tooLong = /takes \d+ bytes, and 100000 are the most \(maxItemBytes\)/
  const n = 200_000

  it.each<[way: string, ask: () => Promise<unknown>]>([
    ['eval', () => gateway.eval('text(n)', { n })],
    ['bytes', () => gateway.eval('b"x" * n', { n })],
    ['an object', () => gateway.new<{ method(n: number): string }>('Long').method(n)],
    ['an int', () => gateway.eval('1 << 2 ** 24')],
    ['an argument', () => gateway.eval('len(t)', { t: 'x'.repeat(n) })],
    ['an argument of bytes', () => gateway.call('len', [new Uint8Array(n)])],
    ['an item', () => gateway.newChannel().send('x'.repeat(n))],
    ['an item of bytes', () => gateway.newChannel().send(new Uint8Array(n))],
    ['an item of an iterator', async () => (await gateway.call<AsyncIterator<string>>('items', [n])).next()],
  ])('refuses %s, which fails alone', async (_, ask) => {
    const others = Promise.all([gateway.eval('1 + 1'), gateway.eval('text(5)')])
    const error = await errorOf(ask())
    expect(error).toBeInstanceOf(DumpError)
    expect((error as Error).message).toMatch(tooLong)
    expect(await others).toEqual([2, 'xxxxx'])
    expect(await gateway.eval('2 + 2')).toBe(4)
  })

  it('is told to code that sends', async () => {
    const source = 'try: channel.send(u"x" * 200000)\nexcept Exception as e: channel.send(str(e))'
    expect(await gateway.remoteExec<string>(source).receive()).toMatch(tooLong)
    const text = gateway.remoteExec('channel.close("y" * 200000)')
    expect(await errorOf(text.receive())).toMatchObject({ message: expect.stringMatching(tooLong) })
  })

  it.each([
    'raise KeyError("y" * 200000)',
    'raise KeyError(*[u"\\U0001f40d" * 1000] * 200)',
    'raise KeyError({1: b"y" * 200000})',
    'def deep(n):\n  if n: deep(n - 1)\n  raise KeyError("y" * 2000)\ndeep(600)',
    'error = None\nfor n in range(9):\n  try:\n    raise KeyError("y" * 9000) from error\n  except KeyError as e: error = e\nraise error',
  ])('cuts what %j fails with, whose type and module stay', async (source) => {
    const told = { name: 'RemoteError', type: 'KeyError', module: 'builtins' }
    const text = `def long():\n  exec(${JSON.stringify(source)}, {})`
    const { long } = await gateway.service<{ long(): void }>({ text }, { expose: ['long'] })
    for (const way of [
      () => gateway.execute(source),
      () => gateway.remoteExec(source).waitClose(),
      () => gateway.eval('exec(source, {})', { source }),
      () => gateway.modules.builtins.exec(source, {}).value(),
      () => long(),
    ]) {
      const error = await errorOf(way())
      expect(error).toMatchObject(told)
      expect((error as RemoteError).frames.length).toBeGreaterThan(0)
    }
    expect(await gateway.eval('2 + 2')).toBe(4)
  })

  it('lets what is shorter pass, one by one where many are gathered', async () => {
    const lengths = []
    for await (const item of await gateway.call<AsyncIterable<string>>('items', [60_000])) lengths.push(item.length)
    expect(lengths).toEqual([60_000, 60_000, 60_000])
  })

  it('is held here too, whatever the worker believes', async () => {
    await gateway.execute('import _tendril\n_tendril.worker.max_item = 10 ** 9')
    const error = await errorOf(gateway.eval('text(n)', { n }))
    expect(error).toBeInstanceOf(LoadError)
    expect((error as Error).message).toMatch(
      /^cannot load the result: it takes 2000\d\d bytes, and 100000 are the most/,
    )
    const channel = gateway.remoteExec<string>('channel.send(u"x" * n); channel.send(b"x" * n); channel.send("next")', {
      n,
    })
    for (const _ of [1, 2]) expect(await errorOf(channel.receive())).toBeInstanceOf(LoadError)
    expect(await channel.receive()).toBe('next')
    expect(await errorOf(gateway.eval('f(text(n))', { n, f: () => 1 }))).toMatchObject({ type: 'ControllerError' })
    expect(await gateway.eval('[len(text(5)), 2]')).toEqual([5, 2])
    await gateway.execute('_tendril.worker.max_item = 100000')
  })

  it('gives back the window of what it let go', async () => {
    await gateway.execute('import _tendril\n_tendril.worker.max_item = 10 ** 9')
    const channel = gateway.remoteExec<number>('for _ in range(30): channel.send(b"x" * 2 ** 20)\nchannel.send(1)')
    for (let at = 0; at < 30; at++) expect(await errorOf(channel.receive())).toBeInstanceOf(LoadError)
    expect(await channel.receive()).toBe(1)
    await gateway.execute('_tendril.worker.max_item = 100000')
  })

  it('is one of a group, and a number of bytes', async () => {
    await using own = new Group(limits)
    const one = await own.makeGateway(spec)
    await expect(one.eval('"x" * 200000')).rejects.toThrow(tooLong)
    const other = await own.makeGateway(spec, { maxItemBytes: 300_000 })
    expect(await other.eval('"x" * 200000')).toHaveLength(200_000)
    for (const maxItemBytes of [Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY, 1e10])
      await expect(own.makeGateway(spec, { maxItemBytes })).rejects.toThrow(/^maxItemBytes must be a number of bytes/)
  })
})
