// The way back: exposed functions, callbacks, and recursion through both sides.
import { setTimeout as passed } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, RemoteError } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

const group = new Group()
afterAll(() => group.terminate())

const cases = pythons.flatMap(({ name, command }) => [
  { title: name, spec: `popen//python=${command}` },
  { title: `${name}, main_thread_only`, spec: `popen//python=${command}//execmodel=main_thread_only` },
])

describe.each(cases)('$title', ({ spec }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(spec)
    gateway.expose({
      lookup: async (id: number, options?: { upper?: boolean }) => (options?.upper ? `USER ${id}` : `user ${id}`),
      fail: () => {
        throw new TypeError('no such user')
      },
      unsendable: () => new WeakMap(),
      down: async (n: number): Promise<number> =>
        n === 0 ? 0 : 1 + (await gateway.eval<number>('controller.down(n - 1)', { n })),
      wait: async (ms: number) => {
        await passed(ms)
        return ms
      },
    })
  })

  it('finds the controller in evaluated text, in tasks and in imports', async () => {
    expect(await gateway.eval('controller.lookup(7)')).toBe('user 7')
    expect(await gateway.eval('controller.lookup(7, upper=True)')).toBe('USER 7')
    expect(await gateway.remoteExec('channel.send(controller.lookup(8))').receive()).toBe('user 8')
    const task = {
      text: 'def run(channel):\n    from tendril import controller\n    channel.send(controller.lookup(9))',
      function: 'run',
    }
    expect(await gateway.remoteExec(task).receive()).toBe('user 9')
  })

  it('raises what functions throw, and gives back the very error that went there', async () => {
    const seen = await gateway.eval(`
      from tendril import ControllerError
      try: controller.fail()
      except ControllerError as e: seen = [e.name, e.message, 'controller.test' in e.stack]
      seen`)
    expect(seen).toEqual(['TypeError', 'no such user', true])
    const error: unknown = await errorOf(gateway.eval('controller.fail()'))
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({ type: 'ControllerError', message: 'ControllerError: TypeError: no such user' })
    expect((error as RemoteError).cause).toBeInstanceOf(TypeError)
    await expect(gateway.eval('controller.unsendable()')).rejects.toThrow(/DumpError: cannot send result/)
    await expect(gateway.eval('controller.lookup(object())')).rejects.toThrow(/DumpError: cannot send args\[0\]/)
  })

  it('reaches nothing that is not exposed', async () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'nosuch']) {
      await expect(gateway.eval(`controller.${name}()`)).rejects.toThrow(
        `AttributeError: the controller does not expose "${name}"; it exposes lookup, fail, unsendable, down, wait`,
      )
    }
    await expect(gateway.eval('controller.__proto__')).rejects.toThrow(/AttributeError/)
  })

  it('goes back and forth, as deep as it must', async () => {
    expect(await gateway.eval('controller.down(8)')).toBe(8)
  })

  it('calls functions that it was given, which come back as the same', async () => {
    const calls: unknown[] = []
    const callback = (...args: unknown[]): number => calls.push(args)
    expect(await gateway.eval('[f(1), f(2, x=3)]', { f: callback })).toEqual([1, 2])
    expect(calls).toEqual([[1], [2, { x: 3 }]])
    expect(await gateway.eval('[f, f is g]', { f: callback, g: callback })).toEqual([callback, true])
    expect(await gateway.remoteExec('channel.send(f("x"))', { f: (x: string) => x + x }).receive()).toBe('xx')
    await expect(gateway.eval('f()', { f: () => Promise.reject(new RangeError('off')) })).rejects.toThrow(
      /RangeError: off/,
    )
    await gateway.eval('1 // 0').catch(() => undefined) // the last failure's frames are kept
    await expect
      .poll(async () => {
        await gateway.call('gc.collect')
        const { callbacks, remoteCallbacks, callsBack, remoteCallsBack } = await gateway.stats()
        return { callbacks, remoteCallbacks, callsBack, remoteCallsBack }
      })
      .toEqual({ callbacks: 0, remoteCallbacks: 0, callsBack: 0, remoteCallsBack: 0 })
  })

  it('answers threads of user code, many at once, and a slow one holds up no other', async () => {
    let answer: (text: string) => void = () => undefined
    const slow = new Promise<string>((resolve) => {
      answer = resolve
    })
    let calls = 0
    const quick = (): string => {
      if (++calls === 3) answer('slow')
      return 'quick'
    }
    const source = `
      import threading
      results = []
      threads = [threading.Thread(target=lambda f=f: results.append(f())) for f in (slow, quick, quick, quick)]
      for t in threads: t.start()
      for t in threads: t.join()
      sorted(results)`
    expect(await gateway.eval(source, { slow: () => slow, quick })).toEqual(['quick', 'quick', 'quick', 'slow'])
  })
})

describe('the way back', () => {
  it('ends with the gateway: whoever waits there is told', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    let hasBegun = (): void => undefined
    const begun = new Promise<void>((resolve) => {
      hasBegun = resolve
    })
    gateway.expose({
      never: () => {
        hasBegun()
        return new Promise(() => undefined)
      },
    })
    const channel = gateway.remoteExec(`
      try: controller.never()
      except IOError as e: import sys; sys.stderr.write('told: %s\\n' % e); sys.stderr.flush()`)
    await begun
    await gateway.terminate({ timeout: 5000 })
    expect((await gateway.closed).stderrTail).toContain('told: the gateway is ending')
    await channel.waitClose().catch(() => undefined)
  })

  it('is open before the first call: a task may be the first to use it', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    expect(await gateway.remoteExec('channel.send(f(20))', { f: (n: number) => n + 1 }).receive()).toBe(21)
  })

  it.each(pythons)(
    'carries answers, arguments and failures longer than any window; others go on: $name',
    async ({ command }) => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      await gateway.execute(`
      def length(f, *args): return len(f(*args))
      def failure(f):
          try: f()
          except Exception as e: return len(e.message)
    `)
      const fail = () => {
        throw new Error('y'.repeat(17 << 20))
      }
      const sizes = await Promise.all([
        gateway.call('length', [() => new Uint8Array(20 << 20)]),
        gateway.call('length', [() => [1, 2]]),
        gateway.call('length', [(given: Uint8Array) => given, new Uint8Array(17 << 20)]),
        gateway.call('failure', [fail]),
        gateway.call('length', [() => 'x'.repeat(17 << 20)]),
        gateway.call('length', [() => [1, 2, 3]]),
      ])
      expect(sizes).toEqual([20 << 20, 2, 17 << 20, 17 << 20, 17 << 20, 3])
    },
  )

  it.each(pythons)(
    'counts each time that a function was read, whenever garbage is collected: $name',
    async ({ command }) => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      expect(await gateway.eval('f()', { f: () => 1 })).toBe(1)
      const channel = gateway.remoteExec(`
import gc, sys
way_back, session, told = sys.modules['_tendril.controller'], sys.modules['_tendril.session'].session, []
tell = session.tell
session.tell = lambda item: told.append(item[2]) if item[:2] == ['dropped', 99] else tell(item)
for turn in range(30):
    way_back.callback_with(99)
    while way_back.callbacks.get(99, int)(): [turn] * 10
for turn in range(5): gc.collect()
channel.send([sum(told), way_back.count_callbacks()])`)
      expect(await channel.receive()).toEqual([30, 0])
    },
  )

  it('takes names back', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    {
      using _ = gateway.expose({ now: () => 1 })
      expect(await gateway.eval('controller.now()')).toBe(1)
    }
    await expect(gateway.eval('controller.now()')).rejects.toThrow('does not expose "now"; it exposes nothing')
  })

  it('refuses what is no function, or could not be called', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    expect(() => gateway.expose({ port: 5 as unknown as () => void })).toThrow('cannot expose port: it is no function')
    expect(() => gateway.expose({ 'a-b': () => 1 })).toThrow('cannot expose a-b: it is no public name of Python')
    await expect(gateway.newChannel().send(() => 1)).rejects.toThrow('a function has no wire type')
  })
})
