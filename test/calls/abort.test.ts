// Calls that are aborted: taken back, interrupted in their own thread, or killed with their worker; and nobody else is hit.
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, GatewayClosedError, Group, RemoteError, TimeoutError } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { begin, errorOf, gatewayToAbort, occupyMain } from './aborting.js'
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
    const began = performance.now()
    expect(await call.abort(reason)).toBe(reason)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(await gateway.call('add', [1, 2])).toBe(3)
  })

  it.each(name.startsWith('PyPy') ? ['waits'] : ['busy', 'waits'])(
    'is interrupted in another thread: %s',
    async (what) => {
      const release = occupyMain(gateway)
      const sibling = await begin(gateway, 'waits')
      const call = await begin(gateway, what)
      expect([call.thread, sibling.thread]).not.toContain('MainThread')
      expect(await call.abort()).toMatchObject({ message: 'enough' })
      expect(await gateway.call('add', [1, 2])).toBe(3)
      await release()
      expect(await sibling.abort('the sibling')).toBe('the sibling')
    },
  )

  it('is interrupted while the window is full, between two items', async () => {
    const begun = gateway.newChannel()
    const error = await errorOf(gateway.call('fills', [begun], {}, { timeout: 300 }))
    expect(error).toBeInstanceOf(TimeoutError)
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
    expect(await gateway.call('imports', [null]).catch((error: unknown) => error)).toBeInstanceOf(RemoteError) // no channel
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
    expect(await second).toMatchObject({ name: 'TimeoutError', message: 'execute("ran = True") took more than 20 ms' })
    await first.abort()
    expect(await queueing.eval("'ran' in globals()")).toBe(false)
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
    const gateway = await gatewayToAbort(group, keys)
    const release = occupyMain(gateway)
    const sibling = errorOf(gateway.call('time.sleep', [30]))
    const deaf = await begin(gateway, 'deaf', { killAfter: 200 })
    expect(await deaf.abort('enough')).toBe('enough')
    const said = 'call("deaf") was aborted and could not be interrupted within 200 ms, so its worker was killed'
    expect(await gateway.closed).toMatchObject({ reason: 'lost', signal: 'SIGKILL', error: { message: said } })
    expect(await sibling).toMatchObject({
      name: 'GatewayClosedError',
      message: expect.stringContaining(said) as string,
    })
    await expect(release()).rejects.toThrow(GatewayClosedError)
  })

  it('is killed in C code that holds the whole interpreter', async () => {
    const gateway = await gatewayToAbort(group, keys)
    const call = gateway.eval("len(re.findall('(a+)+b', 'a' * 40))", { re: null }, { timeout: 100, killAfter: 200 })
    expect(await errorOf(call)).toBeInstanceOf(RemoteError) // re is None there: nothing runs for long
    const stuck = gateway.execute("import re; re.match('(a+)+b', 'a' * 40)", { timeout: 100, killAfter: 200 })
    expect(await errorOf(stuck)).toBeInstanceOf(TimeoutError)
    expect(await gateway.closed).toMatchObject({ signal: 'SIGKILL' })
  })

  it.runIf(pythons.some(({ name }) => name.startsWith('PyPy')))('is told of PyPy beside its main thread', async () => {
    const { command } = pythons.find(({ name }) => name.startsWith('PyPy')) ?? anyInterpreter()
    const gateway = await gatewayToAbort(group, `python=${command}`)
    const release = errorOf(occupyMain(gateway)())
    void release
    const held = await begin(gateway, 'waits')
    const call = await begin(gateway, 'busy', { killAfter: 1000 })
    await call.abort()
    expect(await gateway.closed).toMatchObject({
      error: { message: expect.stringContaining('cannot interrupt what runs beside the main thread') as string },
    })
    await held.abort()
  })

  it('is waited for when killAfter is Infinity', async () => {
    const gateway = await gatewayToAbort(group, keys)
    await gateway.execute(
      'def stubborn():\n  try: time.sleep(0.3)\n  except KeyboardInterrupt: time.sleep(0.3); return 7',
      {},
    )
    await gateway.execute('import time')
    expect(
      await errorOf(gateway.call('stubborn', [], {}, { timeout: 20, killAfter: Number.POSITIVE_INFINITY })),
    ).toBeInstanceOf(TimeoutError)
    expect(gateway.isReceiving).toBe(true)
  })
})
