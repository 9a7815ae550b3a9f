// Views of a gateway: defaults for what is done through them, and the same gateway in all else.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DumpError, type Gateway, GatewayClosedError, Group, kwargs, TimeoutError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const spec = `popen//python=${anyInterpreter().command}`
const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

const defining = `
import time
def slow(): time.sleep(20)
def counts():
    n = 0
    while True:
        yield n
        n += 1
class Slow(object):
    def __repr__(self):
        slow()
    def method(self):
        slow()
`

describe('a view', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(spec)
    await gateway.execute(defining)
  })

  type Way = (view: Gateway) => Promise<unknown>
  const ways: readonly [name: string, way: Way][] = [
    ['call', (view) => view.call('slow')],
    ['eval', (view) => view.eval('slow()')],
    ['execute', (view) => view.execute('slow()')],
    ['py', (view) => view.py`slow()`],
    ['modules', (view) => view.modules.time.sleep(20)],
    ['new', (view) => view.new<{ method(): void }>('Slow').method()],
    ['ref', (view) => view.ref.call('slow').then((value: unknown) => value)],
    ['an operation', (view) => view.new('Slow').$repr()],
    ['remoteExec', async (view) => view.remoteExec('import time; time.sleep(20)').waitClose()],
    [
      'service',
      async (view) => (await view.service<{ slow(): void }>({ text: defining }, { expose: ['slow'] })).slow(),
    ],
    ['a view of it', (view) => view.with({}).call('slow')],
  ]

  it.each(ways)('has its timeout hold for %s', async (_, way) => {
    const error = await errorOf(way(gateway.with({ timeout: 150 })))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it.each(ways)('has its signal hold for %s', async (_, way) => {
    const reason = new Error('enough')
    expect(await errorOf(way(gateway.with({ signal: AbortSignal.abort(reason) })))).toBe(reason)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('has it hold for copies, and not for waits on channels', async () => {
    const reason = new Error('enough')
    const view = gateway.with({ signal: AbortSignal.abort(reason), timeout: 1 })
    expect(await errorOf(view.get('/etc/hostname', '/tmp/never'))).toBe(reason)
    expect(await errorOf(view.put(new Uint8Array(3), '/tmp/never'))).toBe(reason)
    expect(await errorOf(view.readFile('/proc/version').next())).toBe(reason)
    const channel = gateway.with({ timeout: 30_000 }).remoteExec('channel.send(1)')
    expect(await channel.receive()).toBe(1)
    await expect(view.newChannel().receive({ timeout: 5 })).rejects.toThrow(TimeoutError)
  })

  it('goes behind what a call itself is given; each signal is heard', async () => {
    const view = gateway.with({ timeout: 1 })
    expect(await view.call('time.sleep', [0.05], {}, { timeout: Number.POSITIVE_INFINITY })).toBeNull()
    expect(await view.with({ timeout: 20_000 }).call('time.sleep', [0.05])).toBeNull()
    const [outer, inner] = [new AbortController(), new AbortController()]
    const both = gateway.with({ signal: outer.signal }).with({ signal: inner.signal })
    const calls = [both.call('slow'), both.eval('slow()', {}, { signal: new AbortController().signal })].map(errorOf)
    outer.abort('outer')
    expect(await Promise.all(calls)).toEqual(['outer', 'outer'])
    expect(await errorOf(both.call('abs', [1]))).toBe('outer')
  })

  it('has its signal end iterators that it gave, whoever waits for them', async () => {
    const controller = new AbortController()
    const view = gateway.with({ signal: controller.signal })
    const items = await view.call<AsyncIterableIterator<number>>('counts')
    const later = await view.eval<AsyncIterableIterator<number>>('(time.sleep(20) for _ in range(2))')
    expect(await items.next()).toEqual({ done: false, value: 0 })
    const waiting = errorOf(later.next())
    controller.abort('enough')
    expect(await errorOf(items.next())).toBe('enough')
    expect(await items.next()).toEqual({ done: true, value: undefined })
    expect(await waiting).toBe('enough')
  })

  it('is the gateway in all else', async () => {
    const view = gateway.with({ timeout: 60_000 })
    expect([view.id, view.spec, String(view)]).toEqual([gateway.id, gateway.spec, String(gateway)])
    expect(view).toBeInstanceOf(gateway.constructor)
    expect(view.remoteExec('').gateway).toBe(gateway)
    const other = gateway.newChannel()
    const sent = view.remoteExec('other.send(1)', { other })
    expect(await other.receive()).toBe(1)
    await sent.waitClose()
    await view.execute('kept = 5')
    expect(await gateway.get('kept')).toBe(5)
    await using object = await view.new('collections.Counter', ['aab'])
    expect(await gateway.call('len', [object])).toBe(2)
    expect(view.isReceiving).toBe(true)
    expect((await view.remoteStatus()).execModel).toBe('thread')
  })

  it('ends nothing when it is disposed of; exit and terminate end the gateway', async () => {
    const own = await group.makeGateway(spec)
    {
      await using view = own.with({ timeout: 60_000 })
      expect(await view.eval('1')).toBe(1)
    }
    expect(await own.eval('2')).toBe(2)
    await own.with({ timeout: 60_000 }).exit()
    await expect(own.eval('3')).rejects.toThrow(GatewayClosedError)
  })

  it('names the line of a template', async () => {
    const error = await errorOf(gateway.with({ timeout: 60_000 }).py`1 / 0`)
    expect(error).toMatchObject({ traceback: expect.stringContaining('view.test.ts') })
  })

  it('refuses times that are none', () => {
    for (const options of [{ timeout: Number.NaN }, { killAfter: -1 }])
      expect(() => gateway.with(options)).toThrow(RangeError)
  })
})

describe('options among names', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(spec)
  })
  const { signal } = new AbortController()

  it.each<[what: string, call: (gateway: Gateway) => Promise<unknown>, hint: string]>([
    ['a timeout of eval', (it) => it.eval('len("a")', { timeout: 300 }), 'gateway.with({ timeout }).eval('],
    ['a signal of eval', (it) => it.eval('signal', { signal }), 'gateway.with({ signal }).eval('],
    ['killAfter of eval', (it) => it.eval('mykillAfterwards', { killAfter: 1 }), 'gateway.with({ killAfter }).eval('],
    ['a timeout of execute', (it) => it.execute('1', { names: { timeout: 1 } }), 'gateway.with({ timeout }).execute('],
    ['a signal of call', (it) => it.call('dict', [], { signal }), 'gateway.with({ signal }).call('],
    ['a signal by another name', (it) => it.call('dict', [], { abort: signal }), 'gateway.with({ signal }).call('],
    [
      'a signal of a task',
      async (it) => it.remoteExec('', { signal }).waitClose(),
      'gateway.with({ signal }).remoteExec(',
    ],
    ['a signal of new', async (it) => it.new('dict', [], { signal }), 'gateway.with({ signal }).new('],
    ['a signal of ref.call', async (it) => it.ref.call('dict', [], { signal }), 'gateway.with({ signal }).ref.call('],
    [
      'a signal for what a module has',
      async (it) => it.modules.builtins.dict(kwargs({ signal })),
      'gateway.with({ signal }).modules',
    ],
    [
      'a signal of $call',
      async (it) => it.modules.builtins.dict.$call([], { signal }),
      'gateway.with({ signal }).modules',
    ],
    ['a timeout of ref.eval', async (it) => it.ref.eval('1', { timeout: 5 }), 'gateway.with({ timeout }).ref.eval('],
  ])('are refused, with what to write: %s', async (_, call, hint) => {
    const error = await errorOf(call(gateway))
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toContain(hint)
  })

  it.each<[what: string, call: (gateway: Gateway) => Promise<unknown>, path: string]>([
    ['arguments', (it) => it.call('print', ['a', [signal]]), 'args[1][0]'],
    ['values of a template', (it) => it.py`print(${signal})`, 'values[0]'],
    ['names', (it) => it.eval('options', { options: { signal } }), 'names.options.signal'],
    ['arguments of what a module has', async (it) => it.modules.builtins.print(signal), 'args[0]'],
    ['arguments of new', async (it) => it.new('list', [signal]), 'args[0]'],
    ['names of ref.eval', async (it) => it.ref.eval('s', { s: [signal] }), 'names.s[0]'],
    ['names of a task', async (it) => it.remoteExec('', { options: [signal] }), 'item'],
  ])('are no values either: a signal among %s', async (_, call, path) => {
    const error = await errorOf(call(gateway))
    expect(error).toBeInstanceOf(DumpError)
    expect((error as Error).message).toContain(`cannot send ${path}`)
    expect((error as Error).message).toMatch(
      /AbortSignal has no wire type\. To abort the work, write gateway\.with\(\{ signal \}\)\.$/,
    )
  })

  it('are names where the text has them, and in the keyword arguments of a function', async () => {
    expect(await gateway.eval('timeout + 1', { timeout: 300 })).toBe(301)
    expect(await gateway.call('dict', [], { timeout: 5, signal: 2 })).toEqual({ timeout: 5, signal: 2 })
  })
})

describe.each(['CPython 2.7', 'CPython 3.6', 'CPython 3.13'])('execute on %s', (name) => {
  it('takes values as names of its own, and keeps what it assigns', async () => {
    const command = findInterpreter(name)?.command
    if (command === undefined) return
    await using own = new Group({ onOutput: () => undefined })
    const gateway = await own.makeGateway(`popen//python=${command}`)
    await gateway.execute('def scaled(n):\n    return n * factor\nkept = [factor]\nobject()', { names: { factor: 3 } })
    expect(await gateway.call('scaled', [5])).toBe(15)
    expect(await gateway.get('kept')).toEqual([3])
    expect(await gateway.eval('"factor" in globals()')).toBe(false)
    await expect(gateway.execute('1', { names: { 'no name': 1 } })).rejects.toThrow(/no Python name/)
  })
})

describe('execute', () => {
  it('is what the error of a last expression that cannot be sent names', async () => {
    await using own = new Group({ onOutput: () => undefined })
    const gateway = await own.makeGateway(spec)
    for (const value of [() => gateway.eval('done = 1\nobject()'), () => gateway.py`object()`]) {
      const { message, path } = (await errorOf(value())) as Error & { path: string }
      expect(path).toBe('result')
      expect(message).toMatch(
        /^cannot send result: builtins.object has no wire type.*\. The code has run; `execute` does not send a value$/,
      )
    }
    expect(await gateway.get('done')).toBe(1)
  })
})
