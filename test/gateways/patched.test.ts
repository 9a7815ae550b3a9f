// User code that patches what the worker runs on: time and select mocked, freezegun, the clock set back, gevent and eventlet.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { End, echo, exchange } from '../forwarding/ends.js'
import { findInterpreter, type Interpreter, newestInterpreter } from '../interpreters.js'
import {
  debianPython,
  execnetPython,
  noEventlet,
  noFreezegun,
  noGevent,
  noInterpreter,
  titled,
} from '../testbeds/needs.js'
import { eventually } from '../waiting.js'

const printed: string[] = []
const group = new Group({ onOutput: ({ text }) => printed.push(text) })
const folder = mkdtempSync(join(tmpdir(), 'tendril-patched-'))
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

const mocks = `
import os, select, socket, subprocess, threading, time
def fail(*args, **kwargs): raise AssertionError('the worker has met a mock')
time.time = time.monotonic = time.clock = lambda: 0
time.sleep = lambda seconds: None
socket.setdefaulttimeout(0.01)
for module, names in ((select, 'select poll'), (os, 'read write pipe waitpid kill killpg'), (subprocess, 'Popen'),
                      (socket, 'create_connection getaddrinfo'), (threading, 'Thread')):
    for name in names.split():
        setattr(module, name, fail)`
const freezing = 'import freezegun; freezegun.freeze_time("2001-01-01").start()'
const gevent = 'from gevent import monkey; monkey.patch_all()'
const eventlet = 'import eventlet; eventlet.monkey_patch()'

/** What patches, and where it is found; whether channels, calls and a carried gateway have been used before. */
const patches: [string, Interpreter | undefined, string, boolean, string | undefined][] = [
  ['mocks', findInterpreter('CPython 2.7'), mocks, false, undefined],
  ['mocks', findInterpreter('CPython 3.6'), mocks, true, undefined],
  ['mocks', newestInterpreter(), mocks, false, undefined],
  ['mocks', findInterpreter('PyPy'), mocks, false, undefined],
  ['freezegun, late,', { name: 'a CPython', command: execnetPython }, freezing, true, noFreezegun],
  ['gevent', debianPython, gevent, false, noGevent],
  ['gevent, late,', debianPython, gevent, true, noGevent],
  ['eventlet, late,', debianPython, eventlet, true, noEventlet],
]

const use = `
import sys
def waits(channel):
    return channel.receive(60)
def spin():
    while True: pass
def steps(channel):
    for step in range(3):
        yield step
        channel.receive(60)
if sys.version_info[0] > 2: exec('''
import asyncio
async def naps():
    await asyncio.sleep(0.001)
    return 'awaited'
async def trickles():
    for step in range(3):
        yield step
        await asyncio.sleep(0.02)
''')`

const finishes = `
import os
channel.send('begun')
try:
    channel.receive()
except EOFError:
    end = os.times()[4] + 0.2
    while os.times()[4] < end: pass
    with open(file, 'w') as f: f.write('done')`

for (const [what, python, patch, isLate, reason] of patches.filter(([, python]) => python !== undefined))
  it.skipIf(reason)(titled(`goes on under ${what} on ${python?.name}`, reason), async () => {
    const gateway = await group.makeGateway(`popen//python=${python?.command}`)
    if (isLate) await useAll(gateway, true)
    await gateway.remoteExec(patch).waitClose()
    await useAll(gateway, python?.name !== 'CPython 2.7')
    await endWithGrace(gateway)
  })

/** Everything that waits, measures time, makes threads or starts processes. */
async function useAll(gateway: Gateway, hasCoroutines: boolean): Promise<void> {
  await gateway.execute(use)
  await useChannels(gateway)
  await useCalls(gateway)
  if (hasCoroutines) await useCoroutines(gateway)
  await useCopies(gateway)
  await useForwards(gateway)
  await useCarried(gateway)
  expect(await gateway.eval('1 + 1')).toBe(2)
}

async function useChannels(gateway: Gateway): Promise<void> {
  const holder = gateway.remoteExec('channel.receive()') // those that follow run beside it
  const channel = gateway.remoteExec('for item in channel: channel.send(item * 2)')
  for (const n of [1, 2, 3]) {
    await channel.send(n)
    expect(await channel.receive()).toBe(2 * n)
  }
  await channel.close()
  const impatient = `
try:
    channel.receive(0.05)
except channel.TimeoutError:
    print('waited in %s' % channel)
    channel.send('in time')`
  for (const beside of [true, false]) {
    const waiting = gateway.remoteExec(impatient)
    expect(await waiting.receive()).toBe('in time')
    await waiting.waitClose()
    await eventually(() => expect(printed.join('\n')).toContain(`waited in <Channel id=${waiting.id}`))
    if (beside) await holder.close()
  }
  const called = gateway.remoteExec(`
items = []
channel.setcallback(items.append)
while not items: pass
channel.send(items[0])`)
  await called.send('called')
  expect(await called.receive()).toBe('called')
}

async function useCalls(gateway: Gateway): Promise<void> {
  expect(await gateway.eval('[f(i) for i in range(3)]', { f: (n: number) => n + 1 })).toEqual([1, 2, 3])
  const channel = gateway.newChannel()
  const steps: unknown[] = []
  for await (const step of (await gateway.call('steps', [channel])) as AsyncIterable<unknown>) {
    steps.push(step)
    await channel.send('go on')
  }
  expect(steps).toEqual([0, 1, 2])
  for (const [name, args] of [
    ['waits', [gateway.newChannel()]],
    ['spin', []],
  ] as const)
    expect(await errorOf(gateway.call(name, args, {}, { timeout: 50 }))).toMatchObject({ code: 'ERR_TIMEOUT' })
  // A machine that is busy may take longer for an interrupt than is waited for its answer.
  await expect.poll(async () => (await gateway.stats()).givenUp).toEqual([])
}

async function useCoroutines(gateway: Gateway): Promise<void> {
  expect(await gateway.eval('naps()')).toBe('awaited')
  const steps: unknown[] = []
  for await (const step of (await gateway.eval('trickles()')) as AsyncIterable<unknown>) steps.push(step)
  expect(steps).toEqual([0, 1, 2])
}

async function useCopies(gateway: Gateway): Promise<void> {
  const [here, there, back] = ['here', 'there', 'back'].map((name) => join(folder, `${gateway.id}-${name}`))
  writeFileSync(here!, 'text')
  await gateway.put(here!, there!)
  await gateway.get(there!, back!)
  expect(readFileSync(back!, 'utf8')).toBe('text')
}

async function useForwards(gateway: Gateway): Promise<void> {
  await using server = await End.start(echo)
  for (const way of [{ localListen: 0 }, { remoteListen: 0 }]) {
    const forward = await gateway.forward({ ...way, to: server.port })
    expect(String(await exchange(forward.address, 'through'))).toBe('through')
    await forward.close()
  }
}

async function useCarried(gateway: Gateway): Promise<void> {
  for (const spec of [`popen//via=${gateway.id}`, `socket//installvia=${gateway.id}`]) {
    const carried = await group.makeGateway(spec)
    expect(await carried.eval('2 + 2')).toBe(4)
    await carried.terminate()
  }
}

/** What is being done when a gateway ends is finished, if there is time. */
async function endWithGrace(gateway: Gateway): Promise<void> {
  const file = join(folder, `${gateway.id}-end`)
  const channel = gateway.remoteExec(finishes, { file })
  expect(await channel.receive()).toBe('begun')
  await gateway.terminate({ timeout: 10_000 })
  expect(readFileSync(file, 'utf8')).toBe('done')
}

// Later ones import nothing that takes selectors once that has been done.
const noOld = noInterpreter('CPython 3.6')
it.skipIf(noOld)(
  titled('awaits the first coroutine of a program that has put something in the place of select.epoll', noOld),
  async () => {
    const gateway = await group.makeGateway(`popen//python=${findInterpreter('CPython 3.6')?.command}`)
    await gateway.execute('import select\nselect.epoll = lambda: 1 / 0')
    await gateway.execute('async def nap():\n    import asyncio\n    await asyncio.sleep(0.001)\n    return 1')
    expect(await gateway.call('nap')).toBe(1)
  },
)
