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
import { codec, concat, Pair } from './pair.js'

const MiB = 1024 * 1024
const ignore = (): void => undefined
const events: ConnectionEvents = {
  onHello: ignore,
  onOpen: ignore,
  onClose: ignore,
  onOutput: ignore,
  onStatus: ignore,
  onDropped: ignore,
  onOutgoing: ignore,
}

/** Items of so many bytes, as many as a worker sends that never gets credit. */
function sendUntilFull(pair: Pair, bytes: number): number {
  const channel = pair.open()
  const item = [new Uint8Array(bytes)]
  const sent = { bytes: 0 }
  for (let count = 0; count < 200; count++) channel.send(item)
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
    const channel = pair.open()
    const item = [new Uint8Array(4000)]
    let count = 0
    while (channel.send(item)) {
      count++
      pair.connection.takeOutgoing(Number.POSITIVE_INFINITY)
    }
    expect(count).toBe(Math.ceil(WINDOW_BYTES / 4128))
  })

  it('holds up nobody else', () => {
    const pair = new Pair()
    sendUntilFull(pair, 5 * MiB)
    const other = pair.open()
    other.send([new Uint8Array(10)])
    expect(pair.takeNames()).toEqual([`OPEN ${other.id}`, `DATA ${other.id}`])
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
      pair.items.shift()?.consume()
    }
    const credits = pair.take().map(({ payload }) => Buffer.from(payload).readUInt32BE())
    expect(credits).toEqual(Array.from({ length: 25 }, () => 4 * (MiB + ITEM_OVERHEAD)))
  })

  it('may complete the item that it has started; of one that is longer than it may be nothing is kept', () => {
    const pair = new Pair({ maxItemBytes: 20 * MiB })
    pair.say(Kind.OPEN, 2)
    for (let count = 0; count < 40; count++) pair.say(Kind.DATA, 2, fragment, Flag.MORE)
    pair.say(Kind.DATA, 2, 'x')
    const [, [name, id, item] = []] = pair.happenings
    expect([name, id, String(item)]).toEqual([
      'item',
      2,
      'it takes 41943041 bytes, and 20971520 are the most (maxItemBytes)',
    ])
    pair.take()
    pair.items.shift()?.consume()
    expect(pair.take().map(({ payload }) => Buffer.from(payload).readUInt32BE())).toEqual([
      40 * MiB + 1 + ITEM_OVERHEAD,
    ])
    pair.say(Kind.DATA, 2, 'next')
    expect(pair.happenings.at(-1)).toEqual(['item', 2, 'next'])
  })

  it('has no more of it kept in the reason of a CLOSE either', () => {
    const pair = new Pair({ maxItemBytes: 3 * MiB })
    pair.say(Kind.OPEN, 2)
    for (let count = 0; count < 3; count++) pair.say(Kind.CLOSE, 2, fragment, Flag.ERROR | Flag.MORE)
    pair.say(Kind.CLOSE, 2, 'x', Flag.ERROR)
    expect(pair.happenings.map(([name, , reason]) => `${name} ${reason ?? ''}`)).toEqual([
      'open ',
      'close it takes 3145729 bytes, and 3145728 are the most (maxItemBytes)',
    ])
  })
})

describe('credit', () => {
  it('beyond what is outstanding is refused', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.send([new Uint8Array(10)])
    pair.take()
    expect(() => pair.say(Kind.CREDIT, channel.id, encodeUint32(139))).toThrow(
      'CREDIT for 139 bytes when 138 are outstanding',
    )
  })

  it('for an item that has been started may come before its last byte', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.send([new Uint8Array(2 * FRAGMENT_BYTES)])
    pair.take(1)
    pair.take(1)
    expect(() => pair.say(Kind.CREDIT, channel.id, encodeUint32(2 * FRAGMENT_BYTES + ITEM_OVERHEAD))).not.toThrow()
  })

  it('is not sent for a channel that is closing or over', () => {
    const pair = new Pair()
    const channel = pair.open()
    for (let count = 0; count < 10; count++) pair.say(Kind.DATA, channel.id, new Uint8Array(MiB))
    channel.close()
    pair.take()
    for (const item of pair.items.splice(0, 5)) item.consume()
    pair.say(Kind.CLOSE, channel.id)
    for (const item of pair.items) item.consume()
    expect(pair.take()).toEqual([])
  })
})

describe('channels', () => {
  it('are as many as there may be, for us and for the worker', () => {
    const pair = new Pair({ maxChannels: 3 })
    pair.open()
    for (const id of [2, 4]) pair.say(Kind.OPEN, id)
    expect(() => pair.open()).toThrow(
      new RangeError('cannot open a channel: 3 are open, the most that a gateway may have'),
    )
    expect(() => pair.exec()).toThrow(RangeError)
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
    for (const channel of [pair.exec(), pair.open()]) channel.send([new Uint8Array(10)])
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
    const connection = new Connection(
      {
        ...events,
        onOpen: (endpoint) => {
          endpoint.receiver = {
            isAwaited: false,
            onEnd: ignore,
            onItem: (item) => {
              if (endpoint.id === 2) kept.push(item.decode() as Uint8Array) // the codec leaves payloads as they are
              return endpoint.id === 2
            },
          }
        },
      },
      codec,
    )
    for (const id of [2, 4]) connection.receive(encodeFrame(Kind.OPEN, 0, id))
    const small = encodeFrame(Kind.DATA, 0, 2, new Uint8Array(100))
    for (let count = 0; count < 4000; count++) connection.receive(concat(small, encodeFrame(Kind.DATA, 0, 4, other)))
    const buffers = [...new Set(kept.map((item) => item.buffer))]
    expect(kept).toHaveLength(4000)
    expect(buffers.reduce((bytes, buffer) => bytes + buffer.byteLength, 0)).toBeLessThan(2 * WINDOW_BYTES)
  })
})
