// What a worker may say to its controller when it is not what it says: its own calls fail, or its own gateway ends, with an error of ours.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dumps, type Gateway, Group, ProtocolError, type RemoteIterator, TendrilError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { bomb, fixture, item, run, say } from '../hostile.js'
import { anyInterpreter } from '../interpreters.js'
import { eventually } from '../waiting.js'

const DATA = 6
const STATUS = 14
const MORE = 1
const spec = `popen//python=${anyInterpreter().command}`
const group = new Group({ onOutput: () => undefined })
/** It survives what is done to it, and knows nothing of what is done to others. */
let gateway: Gateway

beforeAll(async () => {
  gateway = await group.makeGateway(spec)
})

afterAll(async () => {
  expect(await gateway.eval('6 * 7')).toBe(42)
  await group.terminate()
})

const values: [name: string, value: unknown][] = [
  ['None', null],
  ['a number', 7],
  ['a list nested into itself', bomb()],
]

describe('what comes on the channels of calls', () => {
  it.each(values)('%s in place of a reply ends the gateway', async (_, value) => {
    const other = await group.makeGateway(spec)
    await other.eval('1')
    const call = errorOf(other.call('time.sleep', [1000]))
    await say(other, [DATA, 'requests', dumps(value)])
    expect(await call).toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    expect((await other.closed).error).toBeInstanceOf(ProtocolError)
  })

  it.each([
    ['control', 'a list nested into itself', bomb()],
    ['control', 'a number without its name', [5]],
    ['control', 'a word with something else behind it', ['deaf', bomb(), bomb()]],
    ['requests', 'a question for a list nested into itself', [-1, bomb(), [], {}, null]],
    ['requests', 'a question without arguments', [-1, 'name', 5, {}, null]],
  ] as const)('on %s, %s ends the gateway', async (name, _, value) => {
    const other = await group.makeGateway(spec)
    await other.eval('1')
    await say(other, [DATA, name, dumps(value)])
    expect((await other.closed).error).toBeInstanceOf(ProtocolError)
  })

  it.each([
    ['no channel', 5],
    ['nothing', null],
    ['a list nested into itself', bomb()],
  ])('an iterator that has %s fails its call, and no other', async (_, value) => {
    const [number, call] = await begin()
    await say(gateway, [DATA, 'requests', item(number, value, null, 'items')])
    expect(await call).toBeInstanceOf(ProtocolError)
  })

  it('items of an iterator that are no list end it', async () => {
    const code = `
from _tendril.members import newchannel
from _tendril.session import session
items = newchannel()
session.requests.send([number, items, None, 'stream'])
items.send(5)
channel.receive()`
    const [number, call] = await begin()
    const task = gateway.remoteExec(code, { number })
    const iterator = (await call) as RemoteIterator
    expect(await errorOf(iterator.next())).toBeInstanceOf(ProtocolError)
    await task.close()
  })

  it('a failure that is none fails its call', async () => {
    const [number, call] = await begin()
    const failure = { type: bomb(), args: bomb(), cause: bomb(), frames: [bomb()] }
    await say(gateway, [DATA, 'requests', item(number, null, failure)])
    expect(await call).toMatchObject({ code: 'ERR_REMOTE', type: 'Exception' })
  })

  /** A call that nobody answers but us: its number, and what it comes to or fails with. */
  async function begin(): Promise<[number: number, outcome: Promise<unknown>]> {
    const arrived = "__import__('_tendril.session', None, None, ['x']).session.arrived"
    const number = (await gateway.eval<number>(arrived)) + 1
    return [number, gateway.eval(`__import__('threading').Event().wait(0.5)`).catch((error: unknown) => error)]
  }
})

it('gives nobody a reference to a channel that is tendril’s own', async () => {
  await gateway.eval('1')
  for (const name of ['requests', 'control', 'answers']) {
    const channel = gateway.remoteExec(
      `from _tendril.session import session\nchannel.send(session.${name})\nchannel.send(1)`,
    )
    expect(await errorOf(channel.receive())).toMatchObject({ code: 'ERR_LOAD' })
    expect(await channel.receive()).toBe(1)
    const call = gateway.eval(`__import__('_tendril.session', None, None, ['x']).session.${name}`)
    expect(await errorOf(call)).toMatchObject({ code: 'ERR_LOAD' })
  }
  expect(await gateway.eval('1 + 1')).toBe(2)
})

it('gives nobody a dict that would be taken for a promise', async () => {
  let calls = 0
  const callback = (): void => {
    calls++
  }
  await gateway.execute('def identity(value): return value')
  expect(await errorOf(gateway.call('identity', [{ [String('then')]: callback }]))).toMatchObject({ code: 'ERR_LOAD' })
  const echo = gateway.remoteExec('channel.send(value); channel.send([value]); channel.send(1)', {
    value: { [String('then')]: callback },
  })
  expect(await errorOf(echo.receive())).toMatchObject({ code: 'ERR_LOAD' })
  expect(await errorOf(echo.receive())).toMatchObject({ code: 'ERR_LOAD' })
  expect(await echo.receive()).toBe(1)
  expect(await gateway.call('identity', [{ [String('then')]: 5 }])).toEqual({ [String('then')]: 5 })
  expect(calls).toBe(0)
})

describe('what is asked of a worker aside', () => {
  it.each([...values, ['a dict', { pid: bomb() }]])('%s as its status', async (_, value) => {
    await run(gateway, 'answer_status', { payload: dumps(value) })
    expect(await errorOf(gateway.remoteStatus())).toBeInstanceOf(ProtocolError)
    expect(await errorOf(gateway.info())).toBeInstanceOf(ProtocolError)
  })

  it('a status that nobody has asked for is nothing', async () => {
    await say(gateway, [STATUS, 999, dumps(bomb())])
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it.each(values)('%s as a stack, and as what an exception left', async (_, value) => {
    await run(gateway, 'answer_aside', { values: [value] })
    expect(await errorOf(gateway.stacks())).toBeInstanceOf(ProtocolError)
    expect(await gateway.postMortem().catch(() => undefined)).toBeUndefined()
  })

  it('what an exception left, whose causes have no end', async () => {
    const failure: Record<string, unknown> = { type: 'E', message: '', frames: [], args: [], traceback: '' }
    failure['cause'] = failure
    await run(gateway, 'answer_aside', { values: [failure] })
    expect(await gateway.postMortem()).toMatchObject({ type: 'E', cause: { type: 'E' } })
  })

  it.each([...values.slice(1), ['a record without a message', [0, [{ level: 'INFO' }]]]])(
    '%s as log records',
    async (_, value) => {
      await run(gateway, 'answer_aside', { values: [null, value] })
      const log = await gateway.onLog(() => undefined)
      await eventually(async () => expect(await errorOf(log.close())).toBeInstanceOf(TendrilError))
    },
  )
})

it('reads what records have in common once, and no more of one than any logs', async () => {
  await gateway.eval('1')
  const place = { logger: 'shop', file: 'f', line: 1, function: null, thread: null }
  const about = { level: 'INFO', levelNumber: 20, message: '', time: 0, exception: null, ...place }
  const extra = { items: dumps([1, 2]) }
  const names = Array.from({ length: 1001 }, (_, at) => [`x${at}`, extra.items])
  const others = [about, about].map((each) => ({ ...each, extra }))
  await run(gateway, 'answer_aside', {
    values: [null, [0, others], [0, [{ ...about, extra: Object.fromEntries(names) }]]],
  })
  const heard: unknown[] = []
  const log = await gateway.onLog(({ extra }) => void heard.push(extra))
  await eventually(async () => expect(await errorOf(log.close())).toBeInstanceOf(ProtocolError))
  expect(heard).toEqual([{ items: [1, 2] }, { items: [1, 2] }])
  expect(heard[0]).toBe(heard[1])
})

it('performs what a worker asks while that reads the answers, and no more', async () => {
  let calls = 0
  using _ = gateway.expose({ small: () => 1, big: () => 'x'.repeat(2 ** (20 + 0 * ++calls)) })
  await gateway.eval('controller.small()') // from the first on, whoever reads takes the answers
  const answers = `__import__('_tendril.session', None, None, ['x']).session.answers`
  await gateway.eval(`${answers}.__dict__.update(give_back=lambda *_: None)`)
  await say(
    gateway,
    ...Array.from({ length: 60 }, (_, at) => [DATA, 'requests', item(-1000 - at, 'big', [], {}, null)] as const),
  )
  await eventually(() => expect(calls).toBeGreaterThan(15))
  expect(await gateway.eval('1 + 1')).toBe(2)
  expect(calls).toBeLessThan(20)
  await gateway.eval(`[${answers}.__dict__.pop('give_back'), ${answers}.give_back(${answers}.arrived)][1:]`)
  await eventually(() => expect(calls).toBe(60))
})

it('lets go of a reply that nobody waits for, and of what is too long for a message of ours', async () => {
  await gateway.eval('1')
  await say(gateway, [DATA, 'requests', item(99_999, 'x'.repeat(5000), { [String('then')]: bomb() })])
  const half = new Uint8Array(50_000)
  const begin = item(99_999, 'x'.repeat(5000)).slice(0, 1000)
  await say(gateway, [DATA, 'requests', begin, MORE], [DATA, 'requests', half, MORE], [DATA, 'requests', half])
  expect(await gateway.eval('1 + 1')).toBe(2)
  const other = await group.makeGateway(spec)
  await other.eval('1')
  await say(other, [DATA, 'control', half, MORE], [DATA, 'control', half])
  expect((await other.closed).error?.message).toMatch(/it takes 100000 bytes, and 65536 are the most/)
})

it.each(['requests', 'control', 'answers'] as const)(
  'a worker that ends the channel of %s has ended, and so has what is asked then',
  async (name) => {
    const other = await group.makeGateway(spec)
    await other.eval('1')
    const calls = [errorOf(other.call('time.sleep', [1000]))]
    await say(other, [8, name])
    calls.push(errorOf(Promise.resolve().then(() => other.eval('1 + 1'))))
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(TendrilError)
    expect((await other.closed).error).toBeInstanceOf(ProtocolError)
  },
)

it('a worker may end amid the answers to questions that cannot be read', async () => {
  const other = await group.makeGateway(spec)
  using _ = other.expose({ f: () => 1 })
  await other.eval('1')
  const unread = Uint8Array.from(Buffer.from('\x80\x04](J\x18\xfc\xff\xffcnobody\nnothing\ne.', 'latin1'))
  await say(other, ...Array.from({ length: 4000 }, () => [DATA, 'requests', unread] as const))
  await other.terminate({ timeout: 0 })
  expect(['terminated', 'killed']).toContain((await other.closed).reason)
})

it('gives others their turn while it answers what a worker asks', async () => {
  let turn = 0
  let isOver = false
  const count = (): void => {
    turn++
    if (!isOver) setImmediate(count)
  }
  const turns: number[] = []
  using _ = gateway.expose({
    f: () => {
      for (const begin = performance.now(); performance.now() - begin < 1; );
      turns.push(turn)
    },
  })
  count()
  await run(gateway, 'ask', { times: 300 })
  await eventually(() => expect(turns).toHaveLength(300))
  isOver = true
  expect(new Set(turns).size).toBeGreaterThan(5)
})

it('closes the iterator that a call came to which nobody waits for any more', async () => {
  await gateway.execute(`
import time
def late():
    end = time.time() + 2
    while time.time() < end:
        try:
            time.sleep(0.01)
        except KeyboardInterrupt:
            pass
    return iter([1])`)
  const open = `len(__import__('_tendril').worker.channels)`
  const before = await gateway.eval(open)
  for (let times = 0; times < 2; times++)
    expect(await errorOf(gateway.call('late', [], {}, { timeout: 20 }))).toMatchObject({ code: 'ERR_TIMEOUT' })
  await eventually(async () => expect(await gateway.eval(open)).toBe(before))
})

it.each([
  ['no pickle', new Uint8Array([1, 2, 3])],
  ['what may not be named', Buffer.from('cos\nsystem\n(S"true"\ntR.')],
  ['a list nested into itself', dumps(bomb())],
  ['a failure of such lists', dumps({ type: bomb(), message: bomb(), args: bomb(), frames: bomb(), cause: bomb() })],
  ['nothing', new Uint8Array()],
])('a channel that was closed with %s has failed', async (_, payload) => {
  const channel = gateway.remoteExec({ file: fixture, function: 'close' }, { payload })
  const waiting = [errorOf(channel.receive()), errorOf(channel.waitClose())]
  for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'ERR_REMOTE' })
})
