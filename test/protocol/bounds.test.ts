// What a peer can do to us at most: use up its window and one item, and be told that it broke a rule.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import { Connection } from '../../src/protocol/connection.js'
import type { ConnectionEvents } from '../../src/protocol/connection-events.js'
import {
  encodeFrame,
  encodeUint32,
  Flag,
  FRAGMENT_BYTES,
  ITEM_OVERHEAD,
  Kind,
  WINDOW_BYTES,
} from '../../src/protocol/frames.js'
import { concat, Pair } from './pair.js'

const MiB = 1024 * 1024
const ignore = (): void => undefined
const events: ConnectionEvents = {
  onHello: ignore,
  onOpen: ignore,
  onItem: ignore,
  onBytes: ignore,
  onEnd: ignore,
  onClose: ignore,
  onOutput: ignore,
  onStatus: ignore,
  onOutgoing: ignore,
}

/** Items of so many bytes, as many as a worker sends that never gets credit. */
function sendUntilFull(pair: Pair, bytes: number): number {
  const id = pair.connection.open()
  const item = [new Uint8Array(bytes)]
  const sent = { bytes: 0 }
  for (let count = 0; count < 200; count++) pair.connection.sendItem(id, item, ignore)
  for (const frame of pair.take()) sent.bytes += frame.payload.length
  return sent.bytes
}

describe('a reader that never reads', () => {
  it.each([1, 5 * MiB, 100 * MiB].map((bytes) => [bytes]))(
    'gets its window and one item at most, in items of %i bytes',
    (bytes) => {
      const sent = sendUntilFull(new Pair(), bytes)
      expect(sent).toBeLessThan(WINDOW_BYTES + bytes)
      expect(sent).toBe(Math.min(200, Math.ceil(WINDOW_BYTES / (bytes + ITEM_OVERHEAD))) * bytes)
    },
  )

  it('gets small items sent at once no further than its window either', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    const item = [new Uint8Array(4000)]
    let count = 0
    while (pair.connection.sendNow(id, item)) {
      count++
      pair.connection.takeOutgoing(Number.POSITIVE_INFINITY)
    }
    expect(count).toBe(Math.ceil(WINDOW_BYTES / 4128))
  })

  it('holds up nobody else', () => {
    const pair = new Pair()
    sendUntilFull(pair, 5 * MiB)
    const other = pair.connection.open()
    pair.connection.sendItem(other, [new Uint8Array(10)], ignore)
    expect(pair.takeNames()).toEqual([`OPEN ${other}`, `DATA ${other}`])
  })
})

describe('a worker that sends beyond its window', () => {
  const fragment = new Uint8Array(MiB)

  it('is refused: we hold the window and one item at most', () => {
    const pair = new Pair()
    pair.say(Kind.OPEN, 2)
    const flood = (): void => {
      while (true) pair.say(Kind.DATA, 2, fragment)
    }
    expect(flood).toThrow(/an item beyond the window: \d+ bytes of 16777216 are outstanding/)
    expect(pair.happenings).toHaveLength(1 + 16)
  })

  it('may go on when items have been consumed, in batches of a quarter', () => {
    const pair = new Pair()
    pair.say(Kind.OPEN, 2)
    for (let count = 0; count < 100; count++) {
      pair.say(Kind.DATA, 2, fragment)
      pair.connection.consume(2, fragment.length)
    }
    const credits = pair.take().map(({ payload }) => Buffer.from(payload).readUInt32BE())
    expect(credits).toEqual(Array.from({ length: 25 }, () => 4 * (MiB + ITEM_OVERHEAD)))
  })

  it('may complete the item that it has started, as long as that is no longer than an item may be', () => {
    const pair = new Pair({ maxItemBytes: 20 * MiB })
    pair.say(Kind.OPEN, 2)
    for (let count = 0; count < 20; count++) pair.say(Kind.DATA, 2, fragment, Flag.MORE)
    expect(() => pair.say(Kind.DATA, 2, 'x', Flag.MORE)).toThrow('a payload of more than 20971520 bytes on channel 2')
  })

  it('cannot do it in the reason of a CLOSE either', () => {
    const pair = new Pair({ maxItemBytes: 3 * MiB })
    pair.say(Kind.OPEN, 2)
    for (let count = 0; count < 3; count++) pair.say(Kind.CLOSE, 2, fragment, Flag.ERROR | Flag.MORE)
    expect(() => pair.say(Kind.CLOSE, 2, 'x', Flag.ERROR)).toThrow('a payload of more than 3145728 bytes on channel 2')
  })
})

describe('credit', () => {
  it('beyond what is outstanding is refused', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    pair.connection.sendItem(id, [new Uint8Array(10)], ignore)
    pair.take()
    expect(() => pair.say(Kind.CREDIT, id, encodeUint32(139))).toThrow('CREDIT for 139 bytes when 138 are outstanding')
  })

  it('for an item that has been started may come before its last byte', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    pair.connection.sendItem(id, [new Uint8Array(2 * FRAGMENT_BYTES)], ignore)
    pair.take(1)
    pair.take(1)
    expect(() => pair.say(Kind.CREDIT, id, encodeUint32(2 * FRAGMENT_BYTES + ITEM_OVERHEAD))).not.toThrow()
  })

  it('is not sent for a channel that is closing or over', () => {
    const pair = new Pair()
    const id = pair.connection.open()
    for (const _ of [1, 2]) pair.say(Kind.DATA, id, new Uint8Array(MiB))
    pair.connection.close(id)
    pair.take()
    pair.connection.consume(id, 8 * MiB)
    pair.say(Kind.CLOSE, id)
    pair.connection.consume(id, 8 * MiB)
    expect(pair.take()).toEqual([])
  })
})

describe('channels', () => {
  it('are as many as there may be, for us and for the worker', () => {
    const pair = new Pair({ maxChannels: 3 })
    pair.connection.open()
    for (const id of [2, 4]) pair.say(Kind.OPEN, id)
    expect(() => pair.connection.open()).toThrow(
      new RangeError('cannot open a channel: 3 are open, the most that a gateway may have'),
    )
    expect(() => pair.connection.exec([])).toThrow(RangeError)
    expect(() => pair.say(Kind.OPEN, 6)).toThrow(new ProtocolError('the worker opened more than 3 channels'))
    expect(pair.connection.channelCount).toBe(3)
  })
})

describe('whatever the worker sends', () => {
  const ids = fc.constantFrom(0, 1, 2, 3, 4, 4294967295)
  const flags = fc.constantFrom(0, 0, 0, Flag.MORE, Flag.ERROR, Flag.STDOUT, 16)
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.constant(encodeUint32(128)),
    fc.constant(new Uint8Array(0)),
  )
  const frame = fc
    .tuple(fc.constantFrom(...Object.values(Kind)), flags, ids, payload)
    .map((parts) => encodeFrame(...parts))
  const legal = fc
    .tuple(fc.constantFrom(Kind.DATA, Kind.DATA, Kind.END, Kind.CLOSE), fc.constantFrom(0, 1), fc.constantFrom(1, 3))
    .map(([kind, hasMore, id]) => encodeFrame(kind, kind === Kind.END ? 0 : hasMore, id))
  const streams = fc.array(fc.oneof(frame, legal, legal, fc.uint8Array()), { maxLength: 12 })

  /** What becomes of a stream: what happened, what we said, and whether a rule was broken. */
  function outcome(stream: Uint8Array, chunkBytes: number): unknown {
    const pair = new Pair({ chunkBytes, maxItemBytes: 50, maxChannels: 4 })
    const ids = [pair.connection.exec([]), pair.connection.open()]
    for (const id of ids) pair.connection.sendItem(id, [new Uint8Array(10)], ignore)
    const said = pair.takeNames()
    try {
      pair.feed(stream)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return [pair.happenings, 'ProtocolError']
    }
    expect(pair.connection.channelCount).toBeLessThanOrEqual(4)
    return [pair.happenings, said, pair.takeNames()]
  }

  it('is events or a ProtocolError, the same whole and byte by byte', () => {
    fc.assert(
      fc.property(streams, fc.integer({ min: 2, max: 30 }), (parts, chunkBytes) => {
        const stream = concat(...parts)
        const whole = outcome(stream, stream.length + 1)
        expect(outcome(stream, 1)).toEqual(whole)
        expect(outcome(stream, chunkBytes)).toEqual(whole)
      }),
      { numRuns: 500 },
    )
  })
})

describe('items that wait', () => {
  it('hold little more memory than their window, however small they are and whatever came with them', () => {
    const kept: Uint8Array[] = []
    const other = new Uint8Array(60_000)
    const connection = new Connection({
      ...events,
      onItem: (id, payload) => (id === 2 ? kept.push(payload) : connection.consume(id, payload.length)),
    })
    for (const id of [2, 4]) connection.receive(encodeFrame(Kind.OPEN, 0, id))
    const small = encodeFrame(Kind.DATA, 0, 2, new Uint8Array(100))
    for (let count = 0; count < 4000; count++) connection.receive(concat(small, encodeFrame(Kind.DATA, 0, 4, other)))
    const buffers = [...new Set(kept.map((item) => item.buffer))]
    expect(kept).toHaveLength(4000)
    expect(buffers.reduce((bytes, buffer) => bytes + buffer.byteLength, 0)).toBeLessThan(2 * WINDOW_BYTES)
  })
})
