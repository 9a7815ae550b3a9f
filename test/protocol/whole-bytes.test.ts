// Bytes that are an item by themselves: their length goes ahead, and what does not keep to it is refused.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import { encodeFrame, Flag, FRAGMENT_BYTES, Kind } from '../../src/protocol/frames.js'
import { encodeWholeBytes, WHOLE_BYTES, wholeBytesOf } from '../../src/protocol/whole-bytes.js'
import { concat, Pair, textOf } from './pair.js'

const announced = (length: number, ...bytes: number[]): Uint8Array => {
  const payload = new Uint8Array(8 + bytes.length)
  new DataView(payload.buffer).setBigUint64(0, BigInt(length))
  payload.set(bytes, 8)
  return payload
}

describe('which items they are', () => {
  it('are long byte arrays and buffers, as views of the same bytes', () => {
    const bytes = new Uint8Array(WHOLE_BYTES).fill(7)
    expect(wholeBytesOf(bytes)).toEqual(bytes)
    expect(wholeBytesOf(bytes)?.buffer).toBe(bytes.buffer)
    expect(wholeBytesOf(Buffer.alloc(WHOLE_BYTES))?.constructor).toBe(Uint8Array)
    expect(wholeBytesOf(new ArrayBuffer(WHOLE_BYTES))?.length).toBe(WHOLE_BYTES)
  })

  it.each([
    [new Uint8Array(WHOLE_BYTES - 1)],
    [new Uint8ClampedArray(WHOLE_BYTES)],
    [new Float64Array(WHOLE_BYTES)],
    ['x'],
  ])('no others', (item) => {
    expect(wholeBytesOf(item)).toBeUndefined()
  })
})

describe('bytes that are sent', () => {
  it('take turns with other channels, fragment by fragment', () => {
    const pair = new Pair()
    const [one, two] = [pair.open(), pair.open()]
    pair.take()
    for (const channel of [one, two]) channel.send(new Uint8Array(FRAGMENT_BYTES + 1))
    expect(pair.takeNames()).toEqual(['BYTES 1', 'BYTES 3', 'BYTES 1', 'BYTES 3'])
  })
})

describe('bytes that arrive', () => {
  it('are the same however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 40 }),
        (bytes, fragmentBytes, chunkBytes) => {
          const pair = new Pair({ chunkBytes })
          const { id } = pair.open()
          const payload = concat(...encodeWholeBytes(bytes))
          for (let at = 0; at < payload.length; at += fragmentBytes) {
            const isLast = at + fragmentBytes >= payload.length
            pair.feed(encodeFrame(Kind.BYTES, isLast ? 0 : Flag.MORE, id, payload.subarray(at, at + fragmentBytes)))
          }
          expect(pair.happenings).toEqual([['item', id, textOf(bytes)]])
          expect(pair.items[0]?.size).toBe(8 + bytes.length)
        },
      ),
    )
  })

  it.each([
    ['fewer than announced', [[0, announced(3, 1, 2)]]],
    ['more than announced', [[0, announced(1, 1, 2)]]],
    ['no length', [[0, new Uint8Array(7)]]],
  ] as const)('are refused: %s', (_, frames) => {
    const pair = new Pair()
    const { id } = pair.open()
    const receive = (): void => {
      for (const [flags, payload] of frames) pair.connection.receive(encodeFrame(Kind.BYTES, flags, id, payload))
    }
    expect(receive).toThrow(ProtocolError)
  })

  it('that are more than an item may have are let go, in whatever pieces, and the next item is none the worse', () => {
    const pair = new Pair({ maxItemBytes: 100, chunkBytes: 7 })
    const { id } = pair.open()
    pair.feed(encodeFrame(Kind.BYTES, Flag.MORE, id, announced(120, ...new Uint8Array(60))))
    pair.feed(encodeFrame(Kind.BYTES, 0, id, new Uint8Array(60)))
    const [[name, , item] = []] = pair.happenings
    expect(`${name}: ${item}`).toBe('item: it takes 128 bytes, and 100 are the most (maxItemBytes)')
    pair.feed(encodeFrame(Kind.BYTES, 0, id, announced(1, 65)))
    expect(pair.happenings.at(-1)).toEqual(['item', id, 'A'])
  })

  it('are refused amid another item, and the other way round', () => {
    for (const [first, second] of [
      [Kind.DATA, Kind.BYTES],
      [Kind.BYTES, Kind.DATA],
    ] as const) {
      const pair = new Pair()
      const { id } = pair.open()
      pair.connection.receive(encodeFrame(first, Flag.MORE, id, announced(9)))
      expect(() => pair.connection.receive(encodeFrame(second, 0, id, announced(0)))).toThrow(/amid another/)
    }
  })
})
