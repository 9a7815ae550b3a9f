// User code may raise an exception between any two steps of what a worker does to send: nothing of the wire is harmed.
import { describe, expect, it } from 'vitest'
import { makeGateway } from '../../src/index.js'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'

const file = new URL('../fixtures/raises_everywhere.py', import.meta.url)
const storm = new URL('../fixtures/signal_storm.py', import.meta.url)
const signals = Number(process.env['TENDRIL_SIGNALS'] ?? 2000)

// Items of several frames take long when every bytecode is traced: on one Python.
describe.each(chosenInterpreters())('an exception at any bytecode, with $name', ({ name, command }) => {
  const sizes = name === anyInterpreter().name ? [3, 300_000] : [3]

  it.each(sizes)('of a send of %i characters harms nothing', async (size) => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec<readonly [string, number, string?] | 'done'>(
      { file, function: 'sends' },
      { size },
    )
    const after: number[] = []
    const at: number[] = []
    for await (const item of channel) {
      if (item === 'done') break
      const [kind, n, text] = item
      if (kind === 'after') after.push(n)
      else at.push(n)
      if (text !== undefined) expect(text.length).toBe(size)
    }
    expect(after).toEqual(after.map((_, index) => index))
    expect(at).toEqual([...new Set(at)].sort((a, b) => a - b))
    expect([after.length > 20, at.length > 4]).toEqual([true, true])
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it.each(sizes)('of a receive of %i characters harms nothing', async (size) => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec<number | string>({ file, function: 'receives' })
    const received: (number | string)[] = []
    for await (const item of channel) {
      if (item === 'done') break
      if (typeof item === 'string') received.push(item)
      else for (const letter of 'ab') void channel.send(letter.repeat(size))
    }
    expect(received.filter((letters) => letters !== 'ab' && letters !== 'b')).toEqual([])
    expect(received.filter((letters) => letters === 'ab').length).toBeGreaterThan(10)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('nor do signals amid the steps of an iterator, which comes to its end', async () => {
    await using gateway = await makeGateway(`popen//python=${command}`, { onOutput: () => undefined })
    await gateway.execute(`
      import signal
      class Alarm(Exception): pass
      def on_alarm(number, frame):
          signals.append(number)
          raise Alarm()
      signal.signal(signal.SIGALRM, on_alarm)
      def stop(): signal.setitimer(signal.ITIMER_REAL, 0)
      def numbers():
          global signals
          signals, number = [], 0
          signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
          while len(signals) < 60:
              try:
                  yield number
                  number += 1
              except Alarm:
                  pass
          stop()
    `)
    for (let round = 0; round < 15; round++) {
      const items: number[] = []
      const iterate = async () => {
        for await (const item of await gateway.call<AsyncIterable<number>>('numbers')) items.push(item)
      }
      const error: unknown = await iterate().catch((thrown: unknown) => thrown)
      if (error !== undefined) expect(error).toMatchObject({ name: 'RemoteError', type: 'Alarm' })
      expect(items.filter((item, index) => index > 0 && item < (items[index - 1] ?? 0))).toEqual([])
      for (let failed: unknown = true; failed !== undefined; )
        failed = await gateway.call('stop').then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
    }
    expect(await gateway.eval('1 + 1')).toBe(2)
    expect((await gateway.stats()).givenUp).toEqual([])
  })

  it('does not make calls wait: who reads does not step aside for a thread that may be interrupted', async () => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    await gateway.execute('import signal, sys; signal.signal(signal.SIGALRM, lambda number, frame: None)')
    const reads = () => gateway.eval<boolean>('getattr(sys.modules["_tendril"].worker, "has_input", True)')
    while (!(await reads())); // it had stepped aside before
    const seen: boolean[] = []
    while (seen.length < 50) seen.push(await reads())
    expect(seen).toEqual(Array(50).fill(true))
  })

  it('of a close closes once', async () => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec<[n: number, isStruck: boolean]>({ file, function: 'closes' })
    for (let n = 0, goesOn = true; goesOn; n++) {
      const given = gateway.newChannel<number>()
      await channel.send(given)
      expect(await given.receive()).toBe(n)
      const [at, isStruck] = await channel.receive()
      expect([at, isStruck || n > 20]).toEqual([n, true])
      await given.waitClose()
      goesOn = isStruck
    }
    expect(await gateway.eval('1 + 1')).toBe(2)
  })

  it('loses nothing of what is sent amid a send that fills the window, and keeps its order', async () => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec<string | number>(`
from _tendril import worker
transmit, begun = worker.transmit, []
def as_a_handler_does(fd, data):
    if not begun and len(data) > 1000:
        begun.append(True)
        for n in range(3): channel.send(n)
    return transmit(fd, data)
worker.transmit = as_a_handler_does
channel.send('x' * (17 << 20))
del worker.transmit
`)
    const items = []
    for await (const item of channel) items.push(typeof item === 'string' ? item.length : item)
    expect(items).toEqual([17 << 20, 0, 1, 2])
  })

  it.each(sizes)('nor do thousands of signals amid items of %i characters', async (size) => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec<readonly [string, never, string?]>(
      { file: storm, function: 'storm' },
      { size, signals, interval: size < 1000 ? 0.0002 : 0.005 },
    )
    const items: number[] = []
    const ticks: number[] = []
    let received: number[] = []
    for await (const [kind, value, text] of channel) {
      if (kind === 'done') received = value
      else (kind === 'item' ? items : ticks).push(value)
      if (kind !== 'item') continue
      expect(text?.length).toBe(size)
      void channel.send([items.length, 'y'.repeat(size)])
    }
    expect(
      items.filter((item, index) => index > 0 && item !== items[index - 1] && item !== (items[index - 1] ?? 0) + 1),
    ).toEqual([])
    expect(received).toEqual([...new Set(received)].sort((one, other) => one - other))
    expect([ticks.length > 100, items.length > 10, received.length > 0]).toEqual([true, true, true])
    expect(await gateway.eval('1 + 1')).toBe(2)
  })
})

// Threads that look whether another one has gone on without giving back the lock of what is written.
const looking = `
import sys, threading
if hasattr(sys, 'setswitchinterval'): sys.setswitchinterval(1e-6)
else: sys.setcheckinterval(1)
failures = []
def look():
    try:
        for _ in range(3000): channel.gateway.outgoing.rescue()
    except Exception as e:
        failures.append(repr(e))
threads = [threading.Thread(target=look) for _ in range(4)]
for thread in threads: thread.start()
while any(thread.is_alive() for thread in threads): channel.send(1)
channel.send(failures)`

it.each(chosenInterpreters())(
  'threads that look after what is sent do not take each other for one that was interrupted, on $name',
  async ({ command }) => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const items: unknown[] = []
    for await (const item of gateway.remoteExec(looking)) if (item !== 1) items.push(item)
    expect(items).toEqual([[]])
  },
)
