// Times as users give them: what setTimeout would take for 1 ms is as long as it says, or refused.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type CallOptions, type Gateway, Group, TimeoutError } from '../src/index.js'
import { checkMs, secondsOf, sleep, Timer } from '../src/timer.js'
import { anyInterpreter } from './interpreters.js'

const DAY = 24 * 3600 * 1000

describe('a timer', () => {
  afterEach(() => void vi.useRealTimers())

  /** The module as a program has it whose clock is ours from the start. */
  async function withFakeClock(): Promise<typeof import('../src/timer.js')> {
    vi.useFakeTimers()
    vi.resetModules()
    return import('../src/timer.js')
  }

  it.each([1, 24 * DAY, 25 * DAY, 100 * DAY])('of %d ms rings then, and once', async (ms) => {
    const clock = await withFakeClock()
    const ring = vi.fn<() => void>()
    new clock.Timer(ms, ring)
    vi.advanceTimersByTime(ms - 1)
    expect(ring).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(ring).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(200 * DAY)
    expect(ring).toHaveBeenCalledOnce()
  })

  it('that is stopped does not ring, and one that is restarted rings from then on', async () => {
    const clock = await withFakeClock()
    const [stopped, restarted] = [vi.fn<() => void>(), vi.fn<() => void>()]
    const timers = [new clock.Timer(50 * DAY, stopped), new clock.Timer(50 * DAY, restarted)]
    vi.advanceTimersByTime(40 * DAY)
    timers[0]?.stop()
    timers[1]?.restart()
    vi.advanceTimersByTime(49 * DAY)
    expect([stopped, restarted].map((ring) => ring.mock.calls.length)).toEqual([0, 0])
    vi.advanceTimersByTime(DAY)
    expect([stopped, restarted].map((ring) => ring.mock.calls.length)).toEqual([0, 1])
  })

  it('of Infinity never rings, and nothing waits for it', async () => {
    const clock = await withFakeClock()
    new clock.Timer(Number.POSITIVE_INFINITY, () => expect.unreachable())
    expect(vi.getTimerCount()).toBe(0)
  })

  it('goes by the real clock whatever a test puts in its place', async () => {
    vi.useFakeTimers()
    const rung = vi.fn<() => void>()
    await new Promise<void>((resolve) => void new Timer(1, resolve)).then(rung)
    await sleep(1)
    expect(rung).toHaveBeenCalledOnce()
  })
})

describe('a time', () => {
  it.each([undefined, 0, 0.5, 2 ** 40, Number.POSITIVE_INFINITY])('may be %s', (ms) => {
    expect(() => checkMs('timeout', ms)).not.toThrow()
  })

  const wrong = { NaN: Number.NaN, '-1': -1, '-Infinity': Number.NEGATIVE_INFINITY, '"5"': '5', null: null, '5n': 5n }
  it.each(Object.entries(wrong))('may not be %s', (shown, ms) => {
    expect(() => checkMs('killAfter', ms)).toThrow(
      new RangeError(`killAfter must be a number of milliseconds, not ${shown}`),
    )
  })

  it('is None in Python where Python could not count it', () => {
    expect([undefined, Number.POSITIVE_INFINITY, 1e15, 1500].map(secondsOf)).toEqual([null, null, null, 1.5])
  })

  it('is taken by nobody but through this clock', () => {
    const src = fileURLToPath(new URL('../src/', import.meta.url))
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => /(?<!\.d)\.ts$/.test(path))
    const others = files.filter((path) => /\bsetTimeout\(/.test(readFileSync(`${src}${path}`, 'utf8')))
    // When the terminal is redrawn, or a reader is looked for, has a time that nobody chose, and commands import only index.ts.
    expect(others.map((path) => path.replaceAll('\\', '/')).sort()).toEqual([
      'cli/readers.ts',
      'cli/screen.ts',
      'timer.ts',
    ])
  })
})

/** Every way to give options to a call, or to what is one. */
const callsWith = (gateway: Gateway, options: CallOptions): Record<string, () => Promise<unknown>> => ({
  call: () => gateway.call('abs', [1], {}, options),
  get: () => gateway.get('os.sep', options),
  eval: () => gateway.eval('1', {}, options),
  execute: () => gateway.execute('1', options),
  exec: async () => gateway.remoteExec('1', {}, options),
})

describe('wherever the library takes a time', () => {
  const wrong: readonly [shown: string, ms: unknown][] = [
    ['NaN', Number.NaN],
    ['-1', -1],
    ['5n', 5n],
    ['"5"', '5'],
  ]
  const long = [Number.POSITIVE_INFINITY, 2 ** 31] as const
  const key = `popen//python=${anyInterpreter().command}`

  it.each(wrong)('%s is refused by its name', async (shown, ms) => {
    const timeout = ms as number
    const refusal = (name: string) => new RangeError(`${name} must be a number of milliseconds, not ${shown}`)
    await using group = new Group()
    const gateway = await group.makeGateway(key)
    const channel = gateway.newChannel()
    const options = { timeout }
    const tries = {
      receive: () => channel.receive(options),
      waitClose: () => channel.waitClose(options),
      ...callsWith(gateway, options),
      stacks: () => gateway.stacks(options),
      postMortem: () => gateway.postMortem(options),
      put: () => gateway.put({ data: new Uint8Array(1) } as never, '/tmp/never', options),
      copy: () => gateway.get('/etc/hostname', '/tmp/never', options),
      forward: () => gateway.forward({ localListen: 0, to: 1, timeout }),
      terminate: () => gateway.terminate(options),
      'terminate a group': () => group.terminate(options),
    }
    for (const [what, attempt] of Object.entries(tries))
      await expect(attempt(), what).rejects.toThrow(refusal('timeout'))
    expect(() => gateway.with(options)).toThrow(refusal('timeout'))
    for (const others of [{}, { timeout: 5000 }])
      for (const killAfter of [timeout, { ms: timeout }])
        for (const it of [gateway, gateway.with({})])
          for (const [what, attempt] of Object.entries(callsWith(it, { ...others, killAfter })))
            await expect(attempt(), what).rejects.toThrow(refusal('killAfter'))
    expect(() => gateway.with({ killAfter: { ms: timeout } })).toThrow(refusal('killAfter'))
    expect(await gateway.call('abs', [-1])).toBe(1)
  })

  it('what are no options, and a signal that is none, are refused', async () => {
    await using group = new Group()
    const gateway = await group.makeGateway(key)
    for (const it of [gateway, gateway.with({ signal: new AbortController().signal })]) {
      for (const [what, attempt] of Object.entries(callsWith(it, 300 as CallOptions)).filter(
        ([name]) => name !== 'get',
      ))
        await expect(attempt(), what).rejects.toThrow(/^the options must be in an object, such as .*, not 300$/)
      const signal = new AbortController() as never
      for (const [what, attempt] of Object.entries(callsWith(it, { signal })))
        await expect(attempt(), what).rejects.toThrow(/^signal must be an AbortSignal, .*, not AbortController/)
      await expect(it.stacks({ signal })).rejects.toThrow(TypeError)
      await expect(it.put(new Uint8Array(1), '/tmp/never', { signal })).rejects.toThrow(TypeError)
      await expect(it.newChannel().receive({ signal })).rejects.toThrow(TypeError)
    }
    expect(() => gateway.with({ killAfter: {} as never })).toThrow('not {}')
    expect(() => gateway.with(null as never)).toThrow('the options must be in an object')
    await expect(group.makeGateway(key, { signal: 1 as never })).rejects.toThrow('signal must be an AbortSignal')
    expect(await gateway.call('abs', [-1], {}, null as never)).toBe(1)
  })

  it.each(long)('%d is as long as it takes', async (timeout) => {
    await using group = new Group()
    const gateway = await group.makeGateway(key)
    const options = { timeout, killAfter: timeout }
    expect(await gateway.call('time.sleep', [0.05], {}, options)).toBeNull()
    const channel = gateway.remoteExec('import time; time.sleep(0.05); channel.send(1)', {}, options)
    expect(await channel.receive(options)).toBe(1)
    await channel.waitClose(options)
    expect(await gateway.stacks(options)).not.toEqual([])
    // It has 50 ms to do before it leaves: a grace of 1 ms would have it killed.
    const tidy = 'channel.send(1)\ntry: channel.receive()\nexcept EOFError: import time; time.sleep(0.05)'
    await gateway.remoteExec(tidy).receive()
    expect(await gateway.terminate({ timeout })).toEqual({ killed: [] })
  })

  it('a time that is up still is', async () => {
    await using group = new Group()
    const gateway = await group.makeGateway(key)
    await expect(gateway.newChannel().receive({ timeout: 0 })).rejects.toThrow(TimeoutError)
  })
})
