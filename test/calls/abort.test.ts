// Calls that are aborted: taken back, interrupted in their own thread, or killed with their worker; and nobody else is hit.
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, GatewayClosedError, Group, RemoteError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { noInterpreter, titled } from '../testbeds/needs.js'
import { until } from '../waiting.js'
import { begin, gatewayToAbort, occupyMain } from './aborting.js'
import { pythons, pythons3 } from './pythons.js'

const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())
const keys = `python=${anyInterpreter().command}`

describe.each(pythons)('an aborted call on $name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await gatewayToAbort(group, `python=${command}`)
  })

  it.each(['busy', 'asleep', 'waits'])('is interrupted in the main thread: %s', async (what) => {
    const reason = new Error('enough')
    const call = await begin(gateway, what, { killAfter: Number.POSITIVE_INFINITY })
    expect(call.thread).toBe('MainThread')
    expect(await call.abort(reason)).toBe(reason)
    expect(await gateway.call('add', [1, 2])).toBe(3)
  })

  it.each(name.startsWith('PyPy') ? ['waits'] : ['busy', 'waits'])(
    'is interrupted in another thread: %s',
    async (what) => {
      await using threaded = await gatewayToAbort(group, `python=${command}//threads=2`)
      const release = occupyMain(threaded)
      const sibling = await begin(threaded, 'waits')
      const call = await begin(threaded, what)
      expect([call.thread, sibling.thread]).not.toContain('MainThread')
      expect(await call.abort()).toMatchObject({ message: 'enough' })
      expect(await threaded.call('add', [1, 2])).toBe(3)
      await release()
      expect(await sibling.abort('the sibling')).toBe('the sibling')
    },
  )

  it('is interrupted while the window is full, between two items', async () => {
    const begun = gateway.newChannel()
    const controller = new AbortController()
    const error = errorOf(gateway.call('fills', [begun], {}, { signal: controller.signal }))
    const filled = 'import aborted; channel.send(aborted.filled)'
    await until(async () => Number(await gateway.remoteExec(filled).receive()) > 160) // of 168
    controller.abort('enough')
    expect(await error).toBe('enough')
    for (let item = 0; item < 100; item++) expect(await begun.receive()).toHaveLength(100_000)
    await begun.close()
    expect(await gateway.call('add', [1, 2])).toBe(3)
  })

  it('is interrupted once: what its except does is not hit again', async () => {
    const release = occupyMain(gateway)
    for (let turn = 0; turn < 50; turn++) {
      const call = await begin(gateway, 'chats')
      let error: Promise<unknown> | undefined
      let afterwards = 0
      for (let item = 0; afterwards < 10; item++) {
        if (item === turn % 8) error = call.abort()
        if ((await call.begun.receive()) === 'after') afterwards++
        await call.begun.send(null)
      }
      expect(await error).toMatchObject({ message: 'enough' })
    }
    await release()
  })

  it('runs its finally, and is over after that', async () => {
    const call = await begin(gateway, 'tidy')
    await call.abort()
    expect(await call.begun.receive({ timeout: 0 })).toBe('tidied')
  })

  it('is interrupted in its finally, as by Ctrl-C', async () => {
    const call = await begin(gateway, 'in_finally')
    expect(await call.abort()).toMatchObject({ message: 'enough' })
    expect(await gateway.call('add', [1, 2])).toBe(3)
  })

  it('is interrupted in an import, and a second import works', async () => {
    await (await begin(gateway, 'imports')).abort()
    expect(await errorOf(gateway.call('imports', [null]))).toBeInstanceOf(RemoteError) // no channel
    expect(await gateway.eval('import slow_import; slow_import.value')).toBe(42)
  })

  it.each(['main', 'another'])(
    'never hits the call that follows it, aborted 500 times in the %s thread',
    async (thread) => {
      const release = thread === 'main' ? undefined : occupyMain(gateway)
      const outcomes = new Set<unknown>()
      for (let turn = 0; turn < 500; turn++) {
        const controller = new AbortController()
        const call = gateway.call('work', [1000], {}, { signal: controller.signal, killAfter: 20_000 })
        const outcome = call.then(
          () => 'done',
          (error: unknown) => String(error),
        )
        const next = gateway.call('work', [100])
        await passed(turn % 10)
        controller.abort('aborted')
        expect(await next).toBe(4950)
        outcomes.add(await outcome)
      }
      expect([...outcomes].filter((outcome) => outcome !== 'done' && outcome !== 'aborted')).toEqual([])
      await release?.()
    },
  )
})

/** Some turns of the event loop: about as long as a short call, so that aborting meets it in every state. */
async function passed(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe.each(pythons3)('while a call on $name is about to be interrupted', ({ command }) => {
  it('another one receives, also beside an import', async () => {
    await using gateway = await gatewayToAbort(group, `python=${command}//threads=2`)
    const first = await begin(gateway, 'unsignalled', { killAfter: Number.POSITIVE_INFINITY })
    expect(first.thread).toBe('MainThread')
    expect(await first.abort()).toMatchObject({ message: 'enough' })
    const begun = gateway.newChannel()
    const second = gateway.call('chats_beside_import', [begun])
    for (let number = 0; number < 20; number++) {
      expect(await begun.receive()).toBe(number)
      await begun.send(null)
    }
    await second
    await gateway.execute('import aborted; aborted.go_on.set()')
  })
})

describe.each(pythons3)('a coroutine on $name', ({ command }) => {
  it('is cancelled as a task', async () => {
    const gateway = await gatewayToAbort(group, `python=${command}`)
    await gateway.execute(`
      import asyncio
      async def sleeps(begun):
          begun.send('begun')
          try:
              await asyncio.sleep(30)
          except asyncio.CancelledError:
              begun.send('cancelled')
              raise`)
    const call = await begin(gateway, 'sleeps')
    expect(await call.abort()).toMatchObject({ message: 'enough' })
    expect(await call.begun.receive({ timeout: 0 })).toBe('cancelled')
    expect(await gateway.call('add', [1, 2])).toBe(3)
  })
})

describe('an aborted call', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await gatewayToAbort(group, keys)
  })

  it('is not sent when the signal has been aborted before', async () => {
    const signal = AbortSignal.abort('too late')
    expect(await errorOf(gateway.execute('ran = True', { signal }))).toBe('too late')
    expect(await gateway.call('hasattr', [1, 'x'])).toBe(false)
    expect(await gateway.eval("'ran' in globals()")).toBe(false)
  })

  it('is taken back at once when it has not begun, and never runs', async () => {
    await using queueing = await gatewayToAbort(group, `${keys}//execmodel=main_thread_only`)
    const first = await begin(queueing, 'asleep')
    const second = errorOf(queueing.execute('ran = True', { timeout: 20 }))
    expect(await second).toMatchObject({
      name: 'TimeoutError',
      message: 'execute("ran = True") took more than 20 ms: it waited behind call("asleep")',
    })
    await first.abort()
    expect(await queueing.eval("'ran' in globals()")).toBe(false)
  })

  it('that was to make an object, before or as it begins, fails what was asked of that object, and nothing else', async () => {
    await gateway.execute('async def later():\n    import asyncio\n    await asyncio.sleep(0.5)')
    const controller = new AbortController()
    const { signal } = controller
    const busy = gateway.call('time.sleep', [0.3])
    const made = gateway.with({ signal }).new('object')
    const asked = [gateway.call('id', [made]), gateway.call('abs', [-1])]
    controller.abort(new Error('enough'))
    expect(await errorOf(Promise.resolve(made))).toMatchObject({ message: 'enough' })
    await expect(asked[0]).rejects.toThrow(/what was to make this was aborted before it began/)
    expect([await asked[1], await busy]).toEqual([1, null])
    const second = new AbortController()
    const awaited = gateway.ref.call('later')
    const waiting = gateway.with({ signal: second.signal }).new('list', [[awaited]]) // its argument is not there
    const length = errorOf(gateway.call('len', [waiting]))
    await gateway.stacks()
    second.abort(new Error('enough'))
    expect(await errorOf(Promise.resolve(waiting))).toMatchObject({ message: 'enough' })
    expect(await length).toBeInstanceOf(RemoteError)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('is taken back while its arguments are still on their way', async () => {
    const controller = new AbortController()
    const call = errorOf(gateway.call('len', [Buffer.alloc(50_000_000)], {}, { signal: controller.signal }))
    controller.abort('changed my mind')
    expect(await call).toBe('changed my mind')
    expect(await gateway.call('add', [1, 2])).toBe(3)
  })

  it('leaves no listener on the signal, however it ends', async () => {
    const controller = new AbortController()
    const { signal } = controller
    await gateway.call('add', [1, 2], {}, { signal })
    await errorOf(gateway.call('nothing.there', [], {}, { signal }))
    await errorOf(gateway.call('len', [new WeakMap()], {}, { signal }))
    await errorOf(gateway.call('time.sleep', [30], {}, { signal, timeout: 10 }))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('is rejected with a TimeoutError that shows where it was, when the time is up', async () => {
    const error = await errorOf(gateway.execute('import time\ntime.sleep(30)', { timeout: 50 }))
    expect(error).toMatchObject({ name: 'TimeoutError', code: 'ERR_TIMEOUT' })
    expect((error as Error).cause).toBeInstanceOf(RemoteError)
    expect(((error as Error).cause as RemoteError).traceback).toMatch(
      /line 2, in <module>\n.*time\.sleep\(30\)\n(.*\^\n)?KeyboardInterrupt\n$/,
    )
  })

  it('loses nothing that is read meanwhile', async () => {
    const echo = gateway.remoteExec<number, number>('for item in channel: channel.send(item)')
    for (let turn = 0; turn < 100; turn++) {
      const waiting = await begin(gateway, 'waits')
      const sent = Array.from({ length: 20 }, (_, index) => turn * 20 + index)
      const received = Promise.all(sent.map(() => echo.receive()))
      for (const item of sent.slice(0, 10)) void echo.send(item)
      const error = waiting.abort()
      for (const item of sent.slice(10)) void echo.send(item)
      expect(await received).toEqual(sent)
      expect(await error).toMatchObject({ message: 'enough' })
    }
    await echo.close()
  })

  it('refuses times that are none', async () => {
    expect(await errorOf(gateway.call('add', [1, 2], {}, { timeout: -1 }))).toMatchObject({ name: 'RangeError' })
    expect(await errorOf(gateway.call('add', [1, 2], {}, { timeout: 5, killAfter: Number.NaN }))).toMatchObject({
      message: 'killAfter must be a number of milliseconds, not NaN',
    })
  })

  it('is rejected at once while there is no worker yet', async () => {
    const opening = group.launchGateway(`popen//${keys}//env:X=1`)
    const call = opening.call('time.sleep', [30], {}, { signal: AbortSignal.timeout(0), killAfter: 20_000 })
    expect(await errorOf(call)).toMatchObject({ name: 'TimeoutError' })
    expect(await opening.call('operator.add', [1, 2])).toBe(3)
  })
})

describe('a call that cannot be interrupted', () => {
  it('is killed with its worker, and everybody there is told which it was', async () => {
    const gateway = await gatewayToAbort(group, `${keys}//threads=2`)
    const release = occupyMain(gateway)
    const sibling = errorOf(gateway.call('time.sleep', [30]))
    const deaf = await begin(gateway, 'deaf', { killAfter: { ms: 200, withOthers: true } })
    expect(await deaf.abort('enough')).toBe('enough')
    const said =
      'call("deaf") was aborted and could not be interrupted within 200 ms, so its worker was killed (killAfter)'
    expect(await gateway.closed).toMatchObject({ reason: 'lost', signal: 'SIGKILL', error: { message: said } })
    expect(await sibling).toMatchObject({
      name: 'GatewayClosedError',
      message: expect.stringContaining(said) as string,
    })
    await expect(release()).rejects.toThrow(GatewayClosedError)
  })

  it('is killed in C code that holds the whole interpreter', async () => {
    const gateway = await gatewayToAbort(group, keys)
    const call = await begin(gateway, 'holds', { killAfter: 200 })
    expect(await call.abort('enough')).toBe('enough')
    expect(await gateway.closed).toMatchObject({ signal: 'SIGKILL' })
  })

  const noPypy = noInterpreter('PyPy')
  it.skipIf(noPypy)(titled('is told of PyPy beside its main thread', noPypy), async () => {
    const { command } = pythons.find(({ name }) => name.startsWith('PyPy')) ?? anyInterpreter()
    const gateway = await gatewayToAbort(group, `python=${command}`)
    const held = gateway.remoteExec('channel.send(1)\nchannel.receive()') // has the main thread, as long as it runs
    await held.receive()
    const call = await begin(gateway, 'busy', { killAfter: { ms: 5000, withOthers: true } })
    await call.abort()
    expect(await gateway.closed).toMatchObject({
      error: { message: expect.stringContaining('cannot interrupt what runs beside the main thread') as string },
    })
  })
})
