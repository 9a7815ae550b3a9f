// Small items of one turn share a frame, in order, and cost what the window counts for them.
import { describe, expect, it } from 'vitest'
import { isScalar } from '../../src/protocol/batch.js'
import { decode, encode } from '../../src/protocol/codec.js'
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
    const id = pair.connection.open()
    pair.take()
    for (const item of [1, 'two', 3.5, null]) expect(pair.connection.sendScalar(id, item)).toBe(true)
    const frames = pair.take()
    expect(frames.map(({ kind, channel }) => [kind, channel])).toEqual([[Kind.BATCH, id]])
    expect(decode(frames[0]?.payload ?? new Uint8Array())).toEqual([1, 'two', 3.5, null])
  })

  it('are an ordinary item when there is one', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    pair.take()
    pair.connection.sendScalar(id, 7)
    const [frame] = pair.take()
    expect(frame?.kind).toBe(Kind.DATA)
    expect(decode(frame?.payload ?? new Uint8Array())).toBe(7)
  })

  it('keep their place among other items, channels, END and CLOSE', () => {
    const pair = new Pair()
    const [one, two] = [pair.connection.open(), pair.connection.open()]
    pair.take()
    pair.connection.sendScalar(one, 1)
    pair.connection.sendScalar(one, 2)
    pair.connection.sendNow(one, encode([], { protocol: 2 }))
    pair.connection.sendScalar(two, 3)
    pair.connection.sendScalar(two, 4)
    pair.connection.sendEnd(two)
    pair.connection.close(one)
    expect(pair.takeNames()).toEqual([`BATCH ${one}`, `DATA ${one}`, `BATCH ${two}`, `END ${two}`, `CLOSE ${one}`])
  })

  it('go ahead of the CLOSE that answers one', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    pair.take()
    pair.connection.sendScalar(id, 1)
    pair.connection.receive(encodeFrame(Kind.CLOSE, 0, id))
    expect(pair.takeNames()).toEqual([`DATA ${id}`, `CLOSE ${id}`])
    expect(pair.connection.sendScalar(id, 2)).toBe(false)
  })

  it('wait when the window is full, and cost their overhead and their payload', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    pair.take()
    let sent = 0
    let payload = 0
    while (pair.connection.sendScalar(id, sent)) {
      sent++
      if (sent % 5000 === 0) for (const frame of pair.take()) payload += frame.payload.length
    }
    for (const frame of pair.take()) payload += frame.payload.length
    const cost = sent * ITEM_OVERHEAD + payload
    expect(cost).toBeGreaterThanOrEqual(WINDOW_BYTES)
    expect(cost).toBeLessThan(WINDOW_BYTES + 2 ** 16)
    pair.connection.receive(encodeFrame(Kind.CREDIT, 0, id, encodeUint32(cost)))
    expect(pair.connection.sendScalar(id, sent)).toBe(true)
  })
})
