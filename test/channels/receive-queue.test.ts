// The items of many channels, as they arrive.
import { describe, expect, it } from 'vitest'
import { MultiChannel } from '../../src/channels/multi-channel.js'
import type { ReceiveQueue } from '../../src/channels/receive-queue.js'
import { ChannelClosedError, EndOfChannelError, LoadError, TimeoutError } from '../../src/errors.js'
import { FarEnd } from './far-end.js'

const farEnds = (): [FarEnd, FarEnd] => [new FarEnd(1), new FarEnd(3)]

function queueOf(fars: readonly FarEnd[], options?: { endmarker: unknown }): ReceiveQueue<unknown, unknown, string> {
  return new MultiChannel(fars.map((far) => far.channel)).makeReceiveQueue(options)
}

/** The next so many of the queue, as the channel's id and the item. */
async function take(queue: ReceiveQueue<unknown, unknown, string>, count: number): Promise<unknown[]> {
  const taken: unknown[] = []
  for (let at = 0; at < count; at++) {
    const [channel, item] = await queue.get()
    taken.push([channel.id, item])
  }
  return taken
}

describe('a receive queue', () => {
  it('gives items in the order of arrival, those that waited before it was made first', async () => {
    const [one, other] = farEnds()
    other.deliver('early')
    const queue = queueOf([one, other])
    one.deliver('a')
    other.deliver('b')
    one.deliver('c')
    expect(await take(queue, 4)).toEqual([
      [3, 'early'],
      [1, 'a'],
      [3, 'b'],
      [1, 'c'],
    ])
  })

  it('is the same on every call', () => {
    const channels = new MultiChannel(farEnds().map((far) => far.channel))
    expect(channels.makeReceiveQueue({ endmarker: 1 })).toBe(channels.makeReceiveQueue({ endmarker: 2 }))
  })

  it('gives window back when an item is taken from it, not before', async () => {
    const [one, other] = farEnds()
    const queue = queueOf([one, other])
    one.deliver(1, 2)
    expect(one.consumed).toEqual([])
    await queue.get()
    expect(one.consumed).toEqual([1])
  })

  it('takes the place of receive; the error says so', async () => {
    const [one, other] = farEnds()
    queueOf([one, other])
    await expect(one.channel.receive()).rejects.toThrow('its items go to a receive queue')
    expect(() => queueOf([one])).toThrow(ChannelClosedError)
  })

  it('times out, aborts, and refuses a timeout that is none', async () => {
    const queue = queueOf(farEnds())
    await expect(queue.get({ timeout: 1 })).rejects.toThrow(new TimeoutError('no item on 2 channels after 1 ms'))
    await expect(queue.get({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
    await expect(queue.get({ timeout: -1 })).rejects.toThrow(RangeError)
  })

  it('keeps the process alive while somebody waits, and no longer', async () => {
    const [one, other] = farEnds()
    const item = queueOf([one, other]).get()
    expect([one.holds, other.holds]).toEqual([1, 1])
    other.deliver(1)
    await item
    expect([one.holds, other.holds]).toEqual([0, 0])
  })

  it('goes on after an item that cannot be decoded', async () => {
    const [one, other] = farEnds()
    const queue = queueOf([one, other])
    one.deliver(new LoadError('no pickle'))
    other.deliver('next')
    await expect(queue.get()).rejects.toThrow(LoadError)
    expect(await take(queue, 1)).toEqual([[3, 'next']])
  })
})

describe('the end of a receive queue', () => {
  it('comes when all channels have ended and everything has been taken', async () => {
    const [one, other] = farEnds()
    const queue = queueOf([one, other])
    one.deliver(1)
    one.close()
    other.close('why')
    expect(await take(queue, 1)).toEqual([[1, 1]])
    for (let count = 0; count < 2; count++) {
      await expect(queue.get()).rejects.toThrow(new EndOfChannelError('all 2 channels have ended'))
    }
  })

  it('ends a loop, also when channels had ended before', async () => {
    const [one, other] = farEnds()
    one.deliver(1)
    one.close()
    const queue = queueOf([one, other])
    other.deliver(2)
    other.close()
    const items: unknown[] = []
    for await (const [channel, item] of queue) items.push([channel.id, item])
    expect(items).toEqual([
      [1, 1],
      [3, 2],
    ])
  })

  it('is at once when there are no channels', async () => {
    for await (const item of queueOf([])) expect.unreachable(String(item))
  })

  it.each([
    ['closed', (far: FarEnd) => far.close()],
    ['failed', (far: FarEnd) => far.close('why')],
    ['said END, and closed', (far: FarEnd) => [far.end(), far.close()]],
    ['was lost with its gateway', (far: FarEnd) => far.lose(() => new Error('lost'))],
    ['was closed here', (far: FarEnd) => far.channel.close()],
  ])('has the endmarker of a channel that %s, exactly once, behind its items', async (_, end) => {
    const [one, other] = farEnds()
    const queue = queueOf([one, other], { endmarker: null })
    other.deliver('item')
    end(one)
    other.deliver('last')
    other.close()
    expect(await take(queue, 4)).toEqual([
      [3, 'item'],
      [1, null],
      [3, 'last'],
      [3, null],
    ])
    await expect(queue.get()).rejects.toThrow(EndOfChannelError)
  })

  it('gives no item that closing a channel has dropped', async () => {
    const [one, other] = farEnds()
    const queue = queueOf([one, other])
    one.deliver(1, 2)
    other.deliver(3)
    await one.channel.close()
    expect(await take(queue, 1)).toEqual([[3, 3]])
  })
})
