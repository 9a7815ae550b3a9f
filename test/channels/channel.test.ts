// What users hold: items in, items out, and every way in which a channel comes to its end.
import { describe, expect, it } from 'vitest'
import {
  BootstrapError,
  ChannelClosedError,
  EndOfChannelError,
  GatewayClosedError,
  LoadError,
  RemoteError,
  TimeoutError,
} from '../../src/errors.js'
import { errorOf } from '../failing.js'
import { FarEnd } from './far-end.js'

describe('receive', () => {
  it('gives items in order, those that came before and those it waits for', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    const three = [far.channel.receive(), far.channel.receive(), far.channel.receive()]
    far.deliver(3)
    expect(await Promise.all(three)).toEqual([1, 2, 3])
    expect(far.consumed).toEqual([1, 2, 3])
  })

  it('gives the items before the end, and then the end, every time', async () => {
    const far = new FarEnd()
    far.deliver(1)
    far.close()
    expect(await far.channel.receive()).toBe(1)
    for (let count = 0; count < 2; count++) await expect(far.channel.receive()).rejects.toThrow(EndOfChannelError)
  })

  it('gives the failure of the other side after the items, a fresh error every time', async () => {
    const far = new FarEnd()
    far.deliver(1)
    far.close('out of paper')
    expect(await far.channel.receive()).toBe(1)
    const [one, other] = await Promise.all([1, 2].map(() => errorOf(far.channel.receive())))
    expect(one).toBeInstanceOf(RemoteError)
    expect(one).toMatchObject({ message: 'out of paper' })
    expect(other).not.toBe(one)
  })

  it('rejects everybody who waits when the gateway ends', async () => {
    const far = new FarEnd()
    const waiting = [far.channel.receive(), far.channel.receive({ timeout: 10_000 }), far.channel.waitClose()]
    far.lose(() => new GatewayClosedError('gw0 has ended'))
    for (const one of waiting) await expect(one).rejects.toThrow(GatewayClosedError)
  })

  it('times out, and the channel stays usable', async () => {
    const far = new FarEnd()
    const late = far.channel.receive({ timeout: 1 })
    await expect(late).rejects.toThrow(new TimeoutError('no item on channel 1 after 1 ms'))
    far.deliver('late')
    expect(await far.channel.receive({ timeout: 0 })).toBe('late')
  })

  it('rejects with the reason of an abort, and the item stays', async () => {
    const far = new FarEnd()
    far.deliver(1)
    const reason = new Error('enough')
    await expect(far.channel.receive({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await far.channel.receive()).toBe(1)
  })

  it('refuses a timeout that is none', async () => {
    const far = new FarEnd()
    await expect(far.channel.receive({ timeout: -1 })).rejects.toThrow(RangeError)
    await expect(far.channel.waitClose({ timeout: Number.NaN })).rejects.toThrow(RangeError)
  })

  it('gives the next item after one that cannot be decoded, whose window is given back', async () => {
    const far = new FarEnd()
    const bad = new LoadError('no pickle')
    far.deliver(bad, 2)
    await expect(far.channel.receive()).rejects.toBe(bad)
    expect(await far.channel.receive()).toBe(2)
    expect(far.consumed).toEqual([bad, 2])
  })

  it('gives window back when an item is used, not when it arrives', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    expect(far.consumed).toEqual([])
    await far.channel.receive()
    expect(far.consumed).toEqual([1])
  })

  it('keeps the process alive while it waits, and no longer', async () => {
    const far = new FarEnd()
    const waiting = [far.channel.receive(), far.channel.waitClose(), far.channel.receive({ timeout: 1 })]
    expect(far.holds).toBe(3)
    far.deliver(1)
    far.close()
    await Promise.allSettled(waiting)
    expect(far.holds).toBe(0)
  })
})

describe('send', () => {
  it('resolves when the link has taken the item, at once or later', async () => {
    const far = new FarEnd()
    await far.channel.send(1)
    let settle: (taken: boolean) => void = () => undefined
    far.taken = new Promise((resolve) => {
      settle = resolve
    })
    const sending = far.channel.send(2)
    expect(far.holds).toBe(1)
    settle(true)
    await expect(sending).resolves.toBeUndefined()
    expect([far.holds, far.asked]).toEqual([
      0,
      [
        ['send', 1],
        ['send', 2],
      ],
    ])
  })

  it('asks in the order of the calls, awaited or not', () => {
    const far = new FarEnd()
    for (const item of [1, 2, 3]) void far.channel.send(item)
    expect(far.asked.map(([, item]) => item)).toEqual([1, 2, 3])
  })

  it('rejects when the channel is closed, by either side', async () => {
    for (const close of [(far: FarEnd) => far.close(), (far: FarEnd) => void far.channel.close()]) {
      const far = new FarEnd()
      close(far)
      const late = far.channel.send(1)
      await expect(late).rejects.toThrow(new ChannelClosedError('cannot send on channel 1: it is closed'))
    }
  })

  it('rejects when the item never left, because the peer closed with an error, which is the cause', async () => {
    const far = new FarEnd()
    far.taken = Promise.resolve(false)
    const sending = far.channel.send(1)
    far.close('disk full')
    await expect(sending).rejects.toMatchObject({ code: 'ERR_CHANNEL_CLOSED', cause: { message: 'disk full' } })
    await expect(far.channel.send(2)).rejects.toThrow(ChannelClosedError)
  })

  it.each([
    new GatewayClosedError('gw0 has ended', { exitCode: 3 }),
    new BootstrapError('gw0 never began', { exitCode: 127 }),
  ])('rejects with the end of the gateway itself: $name', async (error) => {
    const far = new FarEnd()
    far.taken = Promise.resolve(false)
    const sending = far.channel.send(1)
    far.lose(() => error)
    await expect(sending).rejects.toBe(error)
    await expect(far.channel.send(2)).rejects.toBe(error)
  })

  it('goes on after the other side has said that it sends no more', async () => {
    const far = new FarEnd()
    far.end()
    await expect(far.channel.send(1)).resolves.toBeUndefined()
    await expect(far.channel.receive()).rejects.toThrow(EndOfChannelError)
  })

  it('is over after sendEnd, which can be said twice, while items still arrive', async () => {
    const far = new FarEnd()
    for (let count = 0; count < 2; count++) far.channel.sendEnd()
    await expect(far.channel.send(1)).rejects.toThrow('cannot send on channel 1: its end has been sent')
    far.deliver('still')
    expect(await far.channel.receive()).toBe('still')
    expect(far.asked).toEqual([['sendEnd']])
  })
})

describe('close', () => {
  it('drops what was not received and gives its window back', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    await far.channel.close()
    expect([far.consumed, far.channel.isClosed]).toEqual([[1, 2], true])
    await expect(far.channel.receive()).rejects.toThrow(EndOfChannelError)
  })

  it('takes nothing that arrives later', () => {
    const far = new FarEnd()
    void far.channel.close()
    expect(far.deliver(1)).toBe(false)
  })

  it('twice, or after the other side did, is no error and asks once', async () => {
    const far = new FarEnd()
    for (const error of ['why', 'again']) await far.channel.close(error)
    expect(far.asked).toEqual([['close', 'why']])
    const other = new FarEnd()
    other.close()
    await other.channel.close()
    expect(other.asked).toEqual([])
  })

  it('by us is a clean end for whoever waits here', async () => {
    const far = new FarEnd()
    const waiting = [far.channel.receive(), far.channel.waitClose()] as const
    await far.channel.close('a reason for the other side')
    await expect(waiting[0]).rejects.toThrow(EndOfChannelError)
    await expect(waiting[1]).resolves.toBeUndefined()
    far.lose(() => new GatewayClosedError('gw0 has ended'))
    await expect(far.channel.waitClose()).resolves.toBeUndefined()
  })

  it('happens at the end of an `await using`', async () => {
    const far = new FarEnd()
    await far.channel[Symbol.asyncDispose]()
    expect(far.asked).toEqual([['close', undefined]])
  })
})

describe('waitClose', () => {
  it('resolves when no item can arrive, while some still wait to be received', async () => {
    const far = new FarEnd()
    far.deliver(1)
    far.close()
    await far.channel.waitClose()
    expect(await far.channel.receive()).toBe(1)
  })

  it('rejects with the failure, every time', async () => {
    const far = new FarEnd()
    const waiting = far.channel.waitClose()
    far.close('out of paper')
    await expect(waiting).rejects.toThrow(RemoteError)
    await expect(far.channel.waitClose()).rejects.toThrow('out of paper')
  })

  it('times out while the channel is open', async () => {
    const late = new FarEnd().channel.waitClose({ timeout: 1 })
    await expect(late).rejects.toThrow(new TimeoutError('channel 1 is still open after 1 ms'))
  })
})

describe('a loop', () => {
  it('gives all items and ends with the channel', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    far.close()
    const items: unknown[] = []
    for await (const item of far.channel) items.push(item)
    expect(items).toEqual([1, 2])
    expect(far.asked).toEqual([])
  })

  it('throws the failure after the items', async () => {
    const far = new FarEnd()
    far.deliver(1)
    far.close('out of paper')
    const items: unknown[] = []
    const loop = async (): Promise<void> => {
      for await (const item of far.channel) items.push(item)
    }
    await expect(loop()).rejects.toThrow('out of paper')
    expect(items).toEqual([1])
  })

  it('that is left early closes the channel', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    for await (const _ of far.channel) break
    expect([far.asked, far.consumed]).toEqual([[['close', undefined]], [1, 2]])
  })
})

describe('a callback', () => {
  it('gets every item in order, one after the other, and the endmarker last', async () => {
    const far = new FarEnd()
    const log: unknown[] = []
    far.deliver(1)
    const callback = async (item: unknown): Promise<void> => {
      log.push(`begin ${String(item)}`)
      await new Promise(setImmediate)
      log.push(`end ${String(item)}`)
    }
    far.channel.setCallback(callback, { endmarker: undefined })
    far.deliver(2)
    far.close()
    await far.channel.waitClose()
    expect(log).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin undefined', 'end undefined'])
  })

  it('gives window back when it has ended with an item', async () => {
    const far = new FarEnd()
    const consumedAt: unknown[] = []
    far.channel.setCallback(() => void consumedAt.push([...far.consumed]))
    far.deliver(1, 2)
    far.close()
    await far.channel.waitClose()
    expect([consumedAt, far.consumed]).toEqual([
      [[], [1]],
      [1, 2],
    ])
  })

  it('that throws closes the channel with its message, and waitClose rejects with what it threw', async () => {
    const far = new FarEnd()
    const error = new Error('bad item')
    far.channel.setCallback(() => {
      throw error
    })
    far.deliver(1, 2)
    await expect(far.channel.waitClose()).rejects.toBe(error)
    expect(far.asked).toEqual([['close', 'the callback failed: bad item']])
    expect([far.consumed, far.holds]).toEqual([[1, 2], 0])
  })

  it('that throws what is no error is an error all the same', async () => {
    const far = new FarEnd()
    far.channel.setCallback(() => Promise.reject('text'))
    far.deliver(1)
    await expect(far.channel.waitClose()).rejects.toMatchObject({ message: 'a callback threw text', cause: 'text' })
  })

  it('gets its endmarker whatever ended the channel, and the failure goes to waitClose', async () => {
    for (const end of [(far: FarEnd) => far.close('why'), (far: FarEnd) => far.lose(() => new Error('why'))]) {
      const far = new FarEnd()
      const items: unknown[] = []
      far.channel.setCallback((item) => void items.push(item), { endmarker: null })
      end(far)
      await expect(far.channel.waitClose()).rejects.toThrow('why')
      expect(items).toEqual([null])
    }
  })

  it('is the only one, and keeps receive out; the error says so', async () => {
    const far = new FarEnd()
    far.channel.setCallback(() => undefined)
    await expect(far.channel.receive()).rejects.toThrow('cannot receive on channel 1: its items go to a callback')
    expect(() => far.channel.setCallback(() => undefined)).toThrow('channel 1 has a callback already')
    const listener = { onItem: () => undefined, onEnd: () => undefined }
    expect(() => far.channel.listen(listener)).toThrow(ChannelClosedError)
  })

  it('keeps the process alive until it has had its last item', async () => {
    const far = new FarEnd()
    far.channel.setCallback(() => undefined)
    expect(far.holds).toBe(1)
    far.close()
    await far.channel.waitClose()
    expect(far.holds).toBe(0)
  })
})

describe('receiveQuietly', () => {
  it('gives items and the end without keeping the process alive', async () => {
    const far = new FarEnd()
    const item = far.channel.receiveQuietly()
    expect(far.holds).toBe(0)
    far.deliver(1)
    expect(await item).toBe(1)
    far.close()
    await expect(far.channel.receiveQuietly()).rejects.toThrow(EndOfChannelError)
  })
})
