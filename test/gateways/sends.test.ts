// Sends that nobody awaits, beyond the window: what they hold, and what those who do await them are told.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ChannelClosedError, Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const spec = `popen//python=${anyInterpreter().command}`
const windowBytes = 16 * 1024 * 1024

function heldBytes(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

describe('sends that wait for the window', () => {
  it.each([
    ['ints', (i: number): unknown => i, 5],
    ['short lists', (i: number): unknown => [i, 'ab'], 20],
  ])('take no more than 200 bytes beside the item, of %s', async (_, itemOf, itemBytes) => {
    await using group = await Group.open([spec])
    const channel = group.get(0).remoteExec('channel.receive()\nchannel.send(sum(1 for _ in channel))')
    void channel.send(Buffer.alloc(windowBytes))
    const count = 100_000
    const before = heldBytes()
    for (let i = 0; i < count; i++) void channel.send(itemOf(i))
    expect((heldBytes() - before) / count).toBeLessThan(200 + itemBytes)
    channel.sendEnd()
    expect(await channel.receive()).toBe(count)
  })

  it('resolve when the last of those that share a promise was taken, those of another turn for themselves', async () => {
    await using group = await Group.open([spec])
    const go = group.get(0).newChannel()
    const source = 'for _ in range(2): channel.receive()\nchannel.send(1)\ngo.receive()\nchannel.send(list(channel))'
    const channel = group.get(0).remoteExec(source, { go })
    await channel.send(0)
    const filling = channel.send(Buffer.alloc(windowBytes))
    const [one, two] = [channel.send(1), channel.send(2)]
    expect(one).toBe(two)
    await filling // the window has taken it, and has no room
    const later = channel.send('x'.repeat(100_000))
    const last = channel.send(3)
    expect(later).not.toBe(one)
    expect(last).not.toBe(later)
    await channel.receive() // two were received: there is room now
    await Promise.all([one, two, later, last])
    channel.sendEnd()
    await go.send(0)
    expect(await channel.receive()).toEqual([1, 2, 'x'.repeat(100_000), 3])
  })

  it('are refused together when the channel closes before it has taken the last of them', async () => {
    await using group = await Group.open([spec])
    const go = group.get(0).newChannel()
    const channel = group.get(0).remoteExec('go.receive()', { go }) // receives nothing of its own: the window stays full
    const filling = channel.send(Buffer.alloc(windowBytes - 1000))
    const sent = Array.from({ length: 6000 }, (_, i) => channel.send(i))
    await filling
    await go.send(0)
    for (const outcome of await Promise.allSettled(sent)) {
      expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(ChannelClosedError)
    }
  })
})
