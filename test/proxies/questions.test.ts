// Calls that callbacks make: which begin amid the call that asked, and which wait their turn.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as passed } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, type OutputLine, type RemoteIterator, TimeoutError } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

const output: OutputLine[] = []
const group = new Group({ onOutput: (line) => output.push(line) })
afterAll(() => group.terminate())

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

const cases = pythons.flatMap(({ name, command }) => [
  { title: name, spec: `popen//python=${command}` },
  { title: `${name}, main_thread_only`, spec: `popen//python=${command}//execmodel=main_thread_only` },
])
const program = `
  steps = []
  def note(step): steps.append(step)
  def asks(f, name):
      note(name + ' asks')
      result = f()
      note(name + ' has it')
      return result
`

describe.each(cases)('$title', ({ spec }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(spec)
    await gateway.execute(program)
  })

  it('two callbacks of two calls both call back, one after the other', async () => {
    await gateway.execute('del steps[:]')
    const answer = (name: string) => async () => {
      await gateway.call('note', [`in ${name}`])
      return name
    }
    const both = ['one', 'two'].map((name) => gateway.call('asks', [answer(name), name]))
    const stranger = gateway.call('note', ['stranger'])
    expect(await Promise.all(both)).toEqual(['one', 'two'])
    await stranger
    expect(await gateway.get('steps')).toEqual([
      ...['one asks', 'in one', 'one has it', 'two asks', 'in two', 'two has it', 'stranger'],
    ])
  })

  it('no stranger runs inside a call that waits', async () => {
    await gateway.execute('del steps[:]')
    const begun = deferred<undefined>()
    const call = gateway.call('asks', [
      async () => {
        begun.resolve(undefined)
        await passed(20)
      },
      'it',
    ])
    await begun.promise
    const strange = gateway.call('note', ['stranger'])
    await call
    await strange
    expect(await gateway.get('steps')).toEqual(['it asks', 'it has it', 'stranger'])
  })

  it('a call that its callback does not await, and one that a timer makes later', async () => {
    await gateway.execute('del steps[:]')
    const calls: Promise<unknown>[] = []
    await gateway.call('asks', [
      () => {
        calls.push(gateway.call('note', ['not awaited']))
        calls.push(passed(5).then(() => gateway.call('note', ['timer'])))
      },
      'it',
    ])
    await Promise.all(calls)
    const steps = await gateway.get<string[]>('steps')
    expect([...steps].sort()).toEqual(['it asks', 'it has it', 'not awaited', 'timer'])
    expect(steps.at(-1)).toBe('timer')
  })

  it('the callback of a task calls back', async () => {
    const task = gateway.remoteExec<number>('channel.send(f())', { f: () => gateway.eval<number>('6 * 7') })
    expect(await task.receive()).toBe(42)
  })

  it('objects and chains amid a callback', async () => {
    const f = async () =>
      gateway.modules.collections
        .OrderedDict([['a', 1]])
        .keys()
        .__len__()
    expect(await gateway.eval('f()', { f })).toBe(1)
  })
})

describe('questions', () => {
  it('of a call whose argument makes a call itself while it is encoded: both begin where the question waits', async () => {
    const gateway = await group.makeGateway('popen')
    const inner: Promise<unknown>[] = []
    const argument = (n: number) => ({
      get x() {
        inner.push(gateway.call('abs', [-n]))
        return n
      },
    })
    const f = () =>
      Promise.all([
        gateway.call('len', [argument(1)]),
        gateway.ref.call<Map<string, number>>('dict', [argument(2)]).get('x'),
      ])
    expect(await gateway.eval('f()', { f })).toEqual([1, 2])
    const symbol = {
      get x() {
        inner.push(gateway.call('abs', [-3]))
        return Symbol('x')
      },
    }
    const g = () => gateway.call('len', [symbol]).catch((error: Error) => error.name)
    expect(await gateway.eval('f()', { f: g })).toBe('DumpError')
    expect(await Promise.all(inner)).toEqual(expect.arrayContaining([1, 2, 3]))
    const task = gateway.remoteExec('channel.send(a["x"])', { a: argument(4) }, { timeout: 60_000 })
    expect(await task.receive()).toBe(4)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('of two gateways, whose callbacks call each other', async () => {
    const [one, two] = await Promise.all([group.makeGateway('popen'), group.makeGateway('popen')])
    const down = async (n: number): Promise<number> => {
      const at = n % 2 === 0 ? one : two
      return n === 0 ? 0 : 1 + (await at.eval<number>('f(n - 1)', { f: down, n }))
    }
    expect(await down(8)).toBe(8)
  })

  it('are answered in the asynchronous context of the call or the task that asks', async () => {
    const gateway = await group.makeGateway('popen')
    const storage = new AsyncLocalStorage<string>()
    gateway.expose({ store: () => storage.getStore() ?? 'none' })
    const calls = ['a', 'b'].map((name) => storage.run(name, () => gateway.eval('controller.store()')))
    expect(await Promise.all(calls)).toEqual(['a', 'b'])
    const task = storage.run('task', () => gateway.remoteExec('channel.send(controller.store())'))
    expect(await task.receive()).toBe('task')
    const source = 'import threading\nthreading.Thread(target=lambda: channel.send(controller.store())).start()'
    expect(await storage.run('task', () => gateway.remoteExec(`${source}\nchannel.receive()`)).receive()).toBe('none')
    const chain = storage.run('chain', () => gateway.ref.eval<{ store(): string }>('controller').store().value())
    expect(await chain).toBe('chain')
    await gateway.execute('async def ask(): yield controller.store()')
    const items = await storage.run('items', () => gateway.call<RemoteIterator>('ask'))
    for await (const store of items) expect(store).toBe('items')
  })

  it('a call by way of a queue waits, and its TimeoutError says behind what', async () => {
    const gateway = await group.makeGateway('popen')
    await gateway.execute(program)
    const queue: (() => void)[] = []
    const work = (async () => {
      while (queue.length === 0) await passed(1)
      const timedOut = errorOf(gateway.call('note', ['late'], {}, { timeout: 50 }))
      queue.shift()?.()
      return timedOut
    })()
    const answer = () => {
      const { promise, resolve } = deferred<void>()
      queue.push(resolve)
      return work.then(() => promise)
    }
    await gateway.call('asks', [answer, 'it'])
    const error = await work
    expect(error).toBeInstanceOf(TimeoutError)
    expect(String(error)).toContain('behind call("asks")')
  })

  it('a call that waits behind one whose callback waits for it says so once', async () => {
    const gateway = await group.makeGateway('popen')
    await gateway.execute(program)
    const asked = deferred<undefined>()
    const waits = asked.promise.then(() => gateway.call('note', ['late']))
    const told = () => output.filter(({ text }) => text.includes('call("note")'))
    const stuck = gateway.call('asks', [
      async () => {
        asked.resolve(undefined)
        await Promise.race([waits, expect.poll(told).toHaveLength(1)])
      },
      'it',
    ])
    await Promise.all([stuck, waits])
    expect(told()).toHaveLength(1)
    expect(told()[0]?.text).toContain('call("asks")')
  })

  it.each<[string, (gateway: Gateway, f: () => Promise<void>) => PromiseLike<unknown>]>([
    ['py("asks(…, …)")', (gateway, f) => gateway.py`asks(${f}, ${'it'})`],
    ['asks', (gateway, f) => gateway.ref.call('asks', [f, 'it'])],
    [
      'service.call("asks")',
      async (gateway, f) => {
        const service = await gateway.service({ text: 'def asks(f): f()' }, { expose: ['asks'] })
        return service['asks']?.(f)
      },
    ],
  ])('what holds up a call is named as its writer knows it: %s', async (title, hold) => {
    const gateway = await group.makeGateway('popen')
    await gateway.execute(program)
    const asked = deferred<undefined>()
    const waits = asked.promise.then(() => gateway.call('note', ['late']))
    const told = () => output.filter(({ gateway: id, text }) => id === gateway.id && text.includes('waits behind'))
    const f = async () => {
      asked.resolve(undefined)
      await Promise.race([waits, expect.poll(told).toHaveLength(1)])
    }
    await Promise.all([hold(gateway, f), waits])
    expect(told()[0]?.text).toContain(`waits behind ${title}, which`)
  })

  it.each(['eval', 'task'])(
    'a task that its callback awaits is told of once where it waits behind the %s that asks',
    async (kind) => {
      const gateway = await group.makeGateway('popen//execmodel=main_thread_only')
      const told = () => output.filter(({ gateway: id, text }) => id === gateway.id && text.includes('waits behind'))
      let task: Promise<unknown> | undefined
      const f = async () => {
        task = gateway.remoteExec('channel.send(1)').receive()
        await Promise.race([task, expect.poll(told).toHaveLength(1)])
        return 2
      }
      const asks =
        kind === 'eval' ? gateway.eval('f()', { f }) : gateway.remoteExec('channel.send(f())', { f }).receive()
      expect(await asks).toBe(2)
      expect(await task).toBe(1)
      expect(told()[0]?.text).toMatch(
        /the task of channel \d+ waits behind (eval\("f\(\)"\)|the task of channel \d+), which/,
      )
    },
  )

  it('a task that its callback awaits runs beside the one that asks', async () => {
    const gateway = await group.makeGateway('popen')
    const f = () => gateway.remoteExec('channel.send(6 * 7)').receive()
    expect(await gateway.eval('f()', { f })).toBe(42)
    expect(await gateway.remoteExec('channel.send(f())', { f }).receive()).toBe(42)
  })

  it('a coroutine that is called while the event loop waits for its caller is an error at once', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    await gateway.execute(
      'async def outer(f): return f()\nasync def inner(): return 1\nasync def items():\n    yield 1',
    )
    await expect(gateway.call('outer', [() => gateway.call('inner')])).rejects.toThrow(/deadlock/)
    await expect(gateway.call('outer', [() => gateway.call('items')])).rejects.toThrow(/deadlock/)
    await expect(gateway.call('outer', [async () => gateway.ref.call('inner').value()])).rejects.toThrow(/deadlock/)
    expect(await gateway.call('outer', [() => gateway.eval('1 + 1')])).toBe(2)
    expect(await gateway.eval('f()', { f: () => gateway.call('inner') })).toBe(1)
  })
})
