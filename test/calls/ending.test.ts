// Calls of a gateway that we end: whatever the worker makes of it, they are told that it has ended, and what became of them.
import { describe, expect, it } from 'vitest'
import { type Gateway, GatewayClosedError, Group } from '../../src/index.js'
import { pythons } from './pythons.js'

const ends: readonly [how: string, end: (gateway: Gateway) => Promise<unknown>][] = [
  ['exit', (gateway) => gateway.exit()],
  ['terminate with no time', (gateway) => gateway.terminate({ timeout: 0 })],
]

/** A call of every way. */
function callsOf(gateway: Gateway): Promise<unknown>[] {
  return [
    gateway.eval('1'),
    gateway.call('time.sleep', [30]),
    gateway.get('os.sep'),
    gateway.py`2`,
    gateway.execute('x = 1'),
    gateway.eval('1', {}, { timeout: 20_000 }),
    gateway.modules['os'].getcwd().then((value: unknown) => value),
    gateway.new('collections.Counter').$repr(),
    gateway.service({ text: 'def f(): pass' }, { expose: ['f'] }),
  ]
}

/** What was not told as the end of the gateway, with what became of the call. */
async function othersOf(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(calls)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  expect(failures.length).toBeGreaterThan(0)
  return failures.filter((error) => !(error instanceof GatewayClosedError && error.delivery !== undefined))
}

describe.each(pythons)('calls of a gateway of $name that ends', ({ command }) => {
  const spec = `popen//python=${command}`

  it.each(ends)('by %s, while the session is being opened', async (_, end) => {
    await using group = new Group({ onOutput: () => undefined })
    const gateways = [group.launchGateway(spec), ...(await Promise.all([1, 2, 3].map(() => group.makeGateway(spec))))]
    const others = gateways.map(async (gateway) => {
      const calls = callsOf(gateway)
      await end(gateway)
      return othersOf(calls)
    })
    expect((await Promise.all(others)).flat()).toEqual([])
  })

  it.each(ends)('by %s, amid requests, an answer that is waited for, and an iterator', async (_, end) => {
    await using group = new Group({ onOutput: () => undefined })
    const gateway = await group.makeGateway(spec)
    await gateway.execute('import time\ndef slow():\n    yield 1\n    time.sleep(30)\ndef ask(f): return f()')
    const items = await gateway.call<AsyncIterator<number>>('slow')
    expect(await items.next()).toEqual({ done: false, value: 1 })
    let asked = (): void => undefined
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    const waiting = new Promise<void>(() => undefined)
    const answer = (): Promise<void> => {
      asked()
      return waiting
    }
    const call = gateway.call('ask', [answer])
    await isAsked
    const calls = [call, items.next(), ...callsOf(gateway), ...Array.from({ length: 50 }, () => gateway.eval('1'))]
    await end(gateway)
    expect(await othersOf(calls)).toEqual([])
    expect(await othersOf([gateway.eval('1')])).toEqual([])
  })
})

describe('the end of a gateway', () => {
  it('has what the code raised as its cause', async () => {
    await using group = new Group({ onOutput: () => undefined })
    const gateway = await group.makeGateway()
    const begun = gateway.newChannel()
    await gateway.execute('import time\ndef sleep(begun):\n    begun.send(1)\n    time.sleep(30)')
    const call = gateway.call('sleep', [begun])
    await begun.receive()
    await gateway.exit()
    await expect(call).rejects.toMatchObject({
      message: expect.stringContaining('it was terminated'),
      delivery: 'unknown',
      cause: { type: 'KeyboardInterrupt', traceback: expect.stringContaining('in sleep') },
    })
  })

  it('is no failure of what was done before', async () => {
    await using group = new Group({ onOutput: () => undefined })
    const gateway = await group.makeGateway()
    await expect(gateway.eval('1 / 0')).rejects.toMatchObject({ type: 'ZeroDivisionError' })
    await gateway.exit()
  })
})
