// Small items of one turn share a frame, in order, and cost what the window counts for them.
import { describe, expect, it } from 'vitest'
import { isScalar } from '../../src/protocol/batch.js'
import { decode } from '../../src/protocol/codec.js'
import { encodeFrame, encodeUint32, ITEM_OVERHEAD, Kind, WINDOW_BYTES } from '../../src/protocol/frames.js'
import { Pair } from './pair.js'

describe('what may wait for others', () => {
  it.each([[0], [-0], [1.5], [Number.NaN], [true], [null], [undefined], [''], ['x'.repeat(64)]])('%o', (item) => {
    expect(isScalar(item)).toBe(true)
  })

  it.each([['x'.repeat(65)], [1n], [[]], [{}], [new Date()], [Symbol.iterator]])('not %o', (item) => {
    expect(isScalar(item)).toBe(false)
  })
})

describe('scalars of one turn', () => {
  it('share a frame, in their order', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.take()
    for (const item of [1, 'two', 3.5, null]) expect(channel.send(item)).toBe(true)
    const frames = pair.take()
    expect(frames.map(({ kind, channel }) => [kind, channel])).toEqual([[Kind.BATCH, channel.id]])
    expect(decode(frames[0]?.payload ?? new Uint8Array())).toEqual([1, 'two', 3.5, null])
  })

  it('are an ordinary item when there is one', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.take()
    channel.send(7)
    const [frame] = pair.take()
    expect(frame?.kind).toBe(Kind.DATA)
    expect(decode(frame?.payload ?? new Uint8Array())).toBe(7)
  })

  it('keep their place among other items, channels, END and CLOSE', () => {
    const pair = new Pair()
    const [one, two] = [pair.open(), pair.open()]
    pair.take()
    one.send(1)
    one.send(2)
    one.send([])
    two.send(3)
    two.send(4)
    two.sendEnd()
    one.close()
    expect(pair.takeNames()).toEqual([
      `BATCH ${one.id}`,
      `DATA ${one.id}`,
      `BATCH ${two.id}`,
      `END ${two.id}`,
      `CLOSE ${one.id}`,
    ])
  })

  it('go ahead of the CLOSE that answers one', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.take()
    channel.send(1)
    pair.connection.receive(encodeFrame(Kind.CLOSE, 0, channel.id))
    expect(pair.takeNames()).toEqual([`DATA ${channel.id}`, `CLOSE ${channel.id}`])
    expect(channel.send(2)).toBe(false)
  })

  it('wait when the window is full, and cost their overhead and their payload', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.take()
    let sent = 0
    let payload = 0
    while (channel.send(sent)) {
      sent++
      if (sent % 5000 === 0) for (const frame of pair.take()) payload += frame.payload.length
    }
    for (const frame of pair.take()) payload += frame.payload.length
    const cost = sent * ITEM_OVERHEAD + payload
    expect(cost).toBeGreaterThanOrEqual(WINDOW_BYTES)
    expect(cost).toBeLessThan(WINDOW_BYTES + 2 ** 16)
    pair.connection.receive(encodeFrame(Kind.CREDIT, 0, channel.id, encodeUint32(cost)))
    expect(pair.takeNames()).toEqual([`DATA ${channel.id}`]) // the one that had to wait
    expect(channel.send(sent)).toBe(true)
  })
})
