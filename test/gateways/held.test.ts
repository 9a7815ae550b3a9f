// What a worker may have sent that nobody has taken: windows, channels that it opens, and all of it together.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Channel, type Gateway, Group, ProtocolError } from '../../src/index.js'
import { run } from '../hostile.js'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'
import { eventually } from '../waiting.js'

const MiB = 1024 * 1024
// What 1,024 bytes cost: their pickle has 18 others.
const PAYLOAD = 1024 + 18 + 128
const spec = `popen//python=${anyInterpreter().command}`
const group = new Group()
let gateway: Gateway

beforeAll(async () => {
  gateway = await group.makeGateway(spec)
})

afterAll(async () => {
  expect(await gateway.eval('6 * 7')).toBe(42)
  await group.terminate()
})

/** Opens channels and sends on each as much as its window takes, in a thread; says what each has sent when none gets any further. */
const SENDS = `
import threading, time
from _tendril import worker
def fill(own):
    try:
        for n in range(size):
            own.send(b'x' * 1024)
    except IOError:
        pass
channels = [channel.gateway.newchannel() for _ in range(count)]
for own in channels:
    threading.Thread(target=fill, args=(own,), daemon=True).start()
inner = [worker.channels[own.id] for own in channels]
def sent(): return [own.sent - worker.window + 256 * 1024 for own in inner]
while min(sent()) < 256 * 1024:
    time.sleep(0.01)
channel.send(sent())
channel.send(channels)
channel.receive()
while sum(sent()[:2]) < 2 * total:
    time.sleep(0.01)
channel.send(sent())
channel.receive()
`

describe('a channel that the worker opens', () => {
  it('has a window of 256 KiB until somebody receives, then one of 16 MiB', async () => {
    const task = gateway.remoteExec<unknown, null>(SENDS, { count: 3, size: 2000, total: 2000 * PAYLOAD })
    const first = (await task.receive()) as number[]
    for (const bytes of first) expect([bytes >= 256 * 1024, bytes < 260 * 1024]).toEqual([true, true])
    const channels = (await task.receive()) as Channel<Uint8Array>[]
    expect((await channels[0]?.receive())?.length).toBe(1024)
    channels[1]?.setCallback(() => undefined)
    await task.send(null)
    const [received, calledBack, untouched] = (await task.receive()) as number[]
    expect([received, calledBack]).toEqual([2000 * PAYLOAD, 2000 * PAYLOAD])
    expect(untouched).toBe(first[2])
    await task.close()
    for (const channel of channels) await channel.close()
  })

  it('is read whole, one after the other, however many there are', async () => {
    const task = gateway.remoteExec<Channel<Uint8Array>, null>(`
import threading
def fill(own):
    for n in range(40):
        own.send(b'x' * 65536)
    own.close()
for _ in range(20):
    own = channel.gateway.newchannel()
    channel.send(own)
    threading.Thread(target=fill, args=(own,), daemon=True).start()
channel.receive()`)
    const channels = await Promise.all(Array.from({ length: 20 }, () => task.receive()))
    for (const channel of channels) {
      let bytes = 0
      for await (const item of channel) bytes += item.length
      expect(bytes).toBe(40 * 65_536)
    }
    await task.close()
  })

  it.each(chosenInterpreters())('costs nothing when it was closed and given to nobody: $name', async ({ command }) => {
    const other = await group.makeGateway(`popen//python=${command}`)
    const task = other.remoteExec(`
for n in range(3000):
    own = channel.gateway.newchannel()
    own.send(n)
    own.close()
given = [channel.gateway.newchannel() for _ in range(3)]
for own in given:
    channel.send(own)
    own.send(own.id)
    own.close()
channel.send('sent')`)
    const given = [await task.receive(), await task.receive(), await task.receive()] as Channel<number>[]
    for (const channel of given) expect(await channel.receive()).toBe(channel.id)
    expect(await task.receive()).toBe('sent')
    await task.waitClose()
    const ours = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const channel = other.newChannel()
        await channel.send(1)
        await channel.close()
      }),
    )
    expect(ours.length).toBe(300)
    const kept = `[len(__import__('_tendril').worker.unclaimed), len(__import__('_tendril').worker.channels)]`
    await eventually(async () => expect((await other.eval<number[]>(kept))[0]).toBe(0))
    const last = other.newChannel()
    const reader = other.remoteExec('channel.receive(); channel.send(last.receive())', { last })
    await last.send('kept')
    await last.close()
    await reader.send(null)
    expect(await reader.receive()).toBe('kept')
    await other.terminate()
  })
})

describe('maxHeldBytes', () => {
  it('ends the gateway that has sent more that nobody has taken', async () => {
    const other = await group.makeGateway(spec, { maxHeldBytes: 20 * MiB })
    const channels = Array.from({ length: 4 }, () =>
      other.remoteExec<Uint8Array>("for n in range(100): channel.send(b'x' * 2 ** 20)\nchannel.receive()"),
    )
    const { error } = await other.closed
    expect(error).toBeInstanceOf(ProtocolError)
    expect(String(error?.message)).toMatch(
      /^the worker has sent \d+ bytes that nobody has taken, and 20971520 are the most \(maxHeldBytes\)/,
    )
    expect((await channels[0]?.receive())?.length).toBe(MiB)
  })

  it('does not count what somebody waits for', async () => {
    const other = await group.makeGateway(spec, { maxHeldBytes: 8 * MiB })
    const source = "channel.send(b'x' * (30 * 2 ** 20)); channel.send('x' * (30 * 2 ** 20))"
    const channels = Array.from({ length: 4 }, () => other.remoteExec<Uint8Array | string>(source))
    const items = await Promise.all(channels.flatMap((channel) => [channel.receive(), channel.receive()]))
    expect(items.map(({ length }) => length)).toEqual(Array(8).fill(30 * MiB))
    expect(await other.eval<string>(`'x' * (30 * 2 ** 20)`)).toHaveLength(30 * MiB)
    await other.terminate()
  })

  it('counts what an item takes that has been announced, and what a failure takes that somebody may ask for', async () => {
    const announced = await group.makeGateway(spec, { maxHeldBytes: 20 * MiB })
    await run(announced, 'announce', { count: 3, size: 8 * MiB })
    expect((await announced.closed).error?.message).toMatch(/bytes that nobody has taken/)
    const failed = await group.makeGateway(spec, { maxHeldBytes: MiB })
    await run(failed, 'fail_given', { times: 40, size: 100_000 })
    expect((await failed.closed).error?.message).toMatch(/bytes that nobody has taken/)
  })

  it('is a number of bytes', async () => {
    for (const maxHeldBytes of [0, -1, Number.NaN, 1.5])
      await expect(group.makeGateway(spec, { maxHeldBytes })).rejects.toThrow(/^maxHeldBytes must be a number of bytes/)
  })
})

it('a worker that opens and closes channels without end leaves nothing', async () => {
  await run(gateway, 'open_and_close', { times: 5000 })
  expect(await gateway.eval('1 + 1')).toBe(2)
})
