// One link, with a worker that is a script (pair.ts): what frames become, what calls become, and in which order.
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import type { Endpoint } from '../../src/protocol/endpoint.js'
import { encodeFrame, Flag, FRAGMENT_BYTES, Kind } from '../../src/protocol/frames.js'
import { bytesOf, concat, notingIn, Pair, textOf } from './pair.js'

describe('what the worker says', () => {
  const stream = concat(
    encodeFrame(Kind.HELLO, 0, 0, bytesOf('hello')),
    encodeFrame(Kind.OPEN, 0, 2),
    encodeFrame(Kind.DATA, Flag.MORE, 1, bytesOf('a long ')),
    encodeFrame(Kind.OUTPUT, Flag.STDERR, 1, bytesOf('warning')),
    encodeFrame(Kind.DATA, 0, 2, bytesOf('short')),
    encodeFrame(Kind.DATA, 0, 1, bytesOf('item')),
    encodeFrame(Kind.OUTPUT, Flag.STDOUT, 0, bytesOf('print')),
    encodeFrame(Kind.STATUS, 0, 9, bytesOf('busy')),
    encodeFrame(Kind.END, 0, 2),
    encodeFrame(Kind.CLOSE, Flag.ERROR | Flag.MORE, 1, bytesOf('ValueError: ')),
    encodeFrame(Kind.CLOSE, Flag.ERROR, 1, bytesOf('17')),
    encodeFrame(Kind.CLOSE, 0, 2),
  )
  const happenings = [
    ['hello', 'hello'],
    ['open', 2],
    ['output', 1, 'stderr', 'warning'],
    ['item', 2, 'short'],
    ['item', 1, 'a long item'],
    ['output', 0, 'stdout', 'print'],
    ['status', 9, 'busy'],
    ['end', 2],
    ['close', 1, 'ValueError: 17'],
    ['close', 2, undefined],
  ]

  it('happens in its order, whatever the size of the chunks', () => {
    for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes++) {
      const pair = new Pair({ chunkBytes })
      pair.exec()
      pair.feed(stream)
      expect(pair.happenings).toEqual(happenings)
      expect(pair.connection.channelCount).toBe(0)
    }
  })

  it('happens behind the marker only, and the noise before it is kept', () => {
    const pair = new Pair({ marker: 'MARK', chunkBytes: 3 })
    pair.feed(concat(bytesOf('Welcome!\nMARK'), encodeFrame(Kind.HELLO, 0, 0)))
    expect(pair.happenings).toEqual([['hello', '']])
    expect(pair.connection.noise).toBe('Welcome!\n')
  })

  it.each([
    ['HELLO', Kind.HELLO],
    ['STATUS', Kind.STATUS],
  ])('with an empty payload is a %s all the same', (name, kind) => {
    const pair = new Pair()
    pair.say(kind, 0)
    expect(pair.happenings[0]?.[0]).toBe(name.toLowerCase())
  })

  it.each(['SETUP', 'PUSH', 'EXEC', 'TERMINATE'] as const)('may not be %s, which is ours to say', (name) => {
    const pair = new Pair()
    const payload = name === 'TERMINATE' ? new Uint8Array(4) : ''
    expect(() => pair.say(Kind[name], 0, payload)).toThrow('which only the controller may send')
  })
})

describe('what goes first', () => {
  it('is in the order of the calls: setup, extras, the code and what needs it', () => {
    const pair = new Pair()
    pair.connection.sendPush(bytesOf('early'))
    pair.connection.sendSetup([bytesOf('set'), bytesOf('up')])
    pair.exec([bytesOf('code')])
    pair.connection.sendPush(bytesOf('late'))
    pair.exec([bytesOf('more code')])
    expect(pair.take().map(({ payload }) => textOf(payload))).toEqual(['early', 'setup', 'code', 'late', 'more code'])
  })

  it('is the EXEC or OPEN of a channel, before its items', () => {
    const pair = new Pair()
    for (const channel of [pair.exec(), pair.open()]) {
      channel.send([new Uint8Array(10_000)])
      channel.send([bytesOf('x')])
    }
    expect(pair.takeNames()).toEqual(['EXEC 1', 'OPEN 3', 'DATA 1', 'DATA 3', 'DATA 1', 'DATA 3'])
  })

  it('is what was sent: END and CLOSE stay behind the items of their channel', () => {
    const pair = new Pair()
    const channel = pair.open()
    for (const size of [300_000, 10]) channel.send([new Uint8Array(size)])
    channel.sendEnd()
    channel.close()
    expect(pair.takeNames()).toEqual(['OPEN 1', 'DATA 1', 'DATA 1', 'DATA 1', 'END 1', 'CLOSE 1'])
  })

  it('is a small item at once only when nothing of its channel waits', () => {
    const pair = new Pair()
    const channel = pair.open()
    expect(channel.send([bytesOf('1')])).toBe(true)
    channel.send([bytesOf('2'), bytesOf('!')])
    expect(channel.send([bytesOf('3')])).toBe(false)
    expect(pair.take().map(({ payload }) => textOf(payload))).toEqual(['', '1', '2!', '3'])
  })
})

describe('turns', () => {
  const large = 100 * 1024 * 1024

  it('put a control frame behind at most one fragment of a 100 MB item', () => {
    const pair = new Pair()
    pair.open().send([new Uint8Array(large)])
    pair.take(1)
    pair.take(1)
    pair.connection.requestStatus()
    expect(pair.takeNames(FRAGMENT_BYTES)).toEqual(['STATUS 1', 'DATA 1'])
  })

  it("put another channel's item behind at most one fragment of a 100 MB item", () => {
    const pair = new Pair()
    const [slow, quick] = [pair.open(), pair.open()]
    slow.send([new Uint8Array(large)])
    pair.take(1)
    quick.send([bytesOf('quick')])
    expect(pair.takeNames(3 * FRAGMENT_BYTES)).toEqual(['DATA 1', 'DATA 3', 'DATA 1', 'DATA 1'])
  })

  it('are a fragment each, round and round', () => {
    const pair = new Pair()
    for (const count of [3, 2, 1]) {
      pair.open().send([new Uint8Array(count * FRAGMENT_BYTES)])
    }
    expect(
      pair
        .takeNames()
        .slice(3)
        .map((name) => name.slice(-1))
        .join(''),
    ).toBe('135131')
  })

  it('pass over a channel whose window is used up, until it gets credit', () => {
    const pair = new Pair()
    const channel = pair.open()
    for (let count = 0; count < 3; count++) channel.send([new Uint8Array(16 * 1024 * 1024)])
    expect(pair.take().length).toBe(1 + 64)
    const before = pair.outgoingCalls
    pair.say(Kind.CREDIT, channel.id, Uint8Array.of(0, 0, 0, 129))
    expect(pair.outgoingCalls).toBe(before + 1)
    expect(pair.take().length).toBe(64)
  })

  it('take no more than was asked for, and a fragment', () => {
    const pair = new Pair()
    pair.open().send([new Uint8Array(large)])
    const bytes = pair.connection.takeOutgoing(500_000).reduce((sum, chunk) => sum + chunk.length, 0)
    expect(bytes).toBeLessThan(500_000 + FRAGMENT_BYTES + 100)
  })
})

describe('an item that is sent', () => {
  it('is done when what holds its last byte has been written, which the next take says', () => {
    const pair = new Pair()
    const outcomes: unknown[] = []
    pair.open().send([new Uint8Array(300_000)], notingIn(outcomes))
    pair.take()
    expect(outcomes).toEqual([])
    expect(pair.take()).toEqual([])
    expect(outcomes).toEqual([undefined])
  })

  it('is one payload again on the other side, whatever its parts', () => {
    const pair = new Pair()
    const parts = [bytesOf('a'), new Uint8Array(FRAGMENT_BYTES), bytesOf('b'), new Uint8Array(0), bytesOf('c')]
    pair.open().send(parts)
    const [, ...frames] = pair.take()
    expect(frames.map(({ flags, payload }) => [flags, payload.length])).toEqual([
      [Flag.MORE, FRAGMENT_BYTES],
      [0, 3],
    ])
    expect(Buffer.compare(concat(...frames.map(({ payload }) => payload)), concat(...parts))).toBe(0)
  })

  it('is dropped when the peer has closed, closes now, or the link is gone', () => {
    const pair = new Pair()
    const outcomes: unknown[] = []
    const send = (channel: Endpoint): boolean => channel.send([new Uint8Array(5000)], notingIn(outcomes))
    const [one, other] = [pair.open(), pair.open()]
    send(one)
    pair.say(Kind.CLOSE, one.id)
    send(one)
    expect(outcomes).toEqual([true, true])
    send(other)
    pair.take()
    send(other)
    pair.connection.lose(() => new Error('lost'))
    expect(outcomes).toEqual([true, true, true, true])
  })

  it('is dropped behind our own CLOSE: nothing follows that', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.close()
    const outcomes: unknown[] = []
    expect(channel.send([bytesOf('late')], notingIn(outcomes))).toBe(false)
    expect(outcomes).toEqual([true])
    expect(pair.takeNames()).toEqual(['OPEN 1', 'CLOSE 1'])
  })
})

describe('closing', () => {
  it('by us is over when the worker answers; until then what it sent is dropped', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.close()
    pair.take()
    pair.say(Kind.DATA, channel.id, 'late')
    pair.say(Kind.CREDIT, channel.id, Uint8Array.of(255, 255, 255, 255))
    pair.say(Kind.END, channel.id)
    expect(pair.connection.channelCount).toBe(1)
    pair.say(Kind.CLOSE, channel.id)
    expect(pair.happenings).toEqual([['close', channel.id, undefined]])
    expect([pair.connection.channelCount, pair.take()]).toEqual([0, []])
  })

  it('by the worker is answered at once, amid an item of ours, with an empty CLOSE', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.send([new Uint8Array(3 * FRAGMENT_BYTES)])
    pair.take(FRAGMENT_BYTES)
    pair.say(Kind.CLOSE, channel.id, 'because', Flag.ERROR)
    expect(pair.take()).toMatchObject([{ kind: Kind.CLOSE, flags: 0, channel: channel.id, payload: new Uint8Array(0) }])
    expect(pair.happenings).toEqual([['close', channel.id, 'because']])
  })

  it('by both at the same time needs no answer', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.close()
    pair.take()
    pair.say(Kind.CLOSE, channel.id)
    expect([pair.connection.channelCount, pair.take()]).toEqual([0, []])
  })

  it('twice, or after the worker did, sends one CLOSE', () => {
    const pair = new Pair()
    const [one, other] = [pair.open(), pair.open()]
    for (let count = 0; count < 2; count++) one.close()
    pair.say(Kind.CLOSE, other.id)
    other.close()
    expect(pair.takeNames().sort()).toEqual(['CLOSE 1', 'CLOSE 3', 'OPEN 1', 'OPEN 3'])
  })

  it('carries a reason of any length, every fragment with ERROR', () => {
    const pair = new Pair()
    pair.open().close('x'.repeat(FRAGMENT_BYTES))
    const flags = pair.take().map((frame) => frame.flags)
    expect(flags).toEqual([0, Flag.ERROR | Flag.MORE, Flag.ERROR])
  })

  it('leaves the other direction alone when it is only an END', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.sendEnd()
    channel.sendEnd()
    pair.say(Kind.DATA, channel.id, 'still here')
    expect(pair.takeNames()).toEqual(['OPEN 1', 'END 1'])
    pair.say(Kind.END, channel.id)
    expect(pair.happenings).toEqual([
      ['item', channel.id, 'still here'],
      ['end', channel.id],
    ])
  })
})

describe('ids', () => {
  it('are odd when we open, and the next one every time', () => {
    const pair = new Pair()
    expect([pair.open().id, pair.exec().id, pair.open().id]).toEqual([1, 3, 5])
  })

  it.each([0, 1, 3, 2 ** 32 - 1])('of the worker may not be %i', (id) => {
    expect(() => new Pair().say(Kind.OPEN, id)).toThrow(new ProtocolError(`the worker may not open channel ${id}`))
  })

  it('of an open channel cannot be opened again, those of one that is over can', () => {
    const pair = new Pair()
    pair.say(Kind.OPEN, 2)
    expect(() => pair.say(Kind.OPEN, 2)).toThrow(ProtocolError)
    pair.say(Kind.CLOSE, 2)
    pair.say(Kind.OPEN, 2)
    expect(pair.happenings.map(([name]) => name)).toEqual(['open', 'close', 'open'])
  })

  it('that nobody opened are an error in every frame of a channel', () => {
    for (const kind of [Kind.DATA, Kind.END, Kind.CREDIT, Kind.CLOSE]) {
      const payload = kind === Kind.CREDIT ? new Uint8Array(4) : ''
      for (const id of [1, 2]) {
        expect(() => new Pair().say(kind, id, payload)).toThrow(`channel ${id}, which is not open`)
      }
    }
  })

  it('are forgotten when both sides have closed: 10,000 channels leave nothing', () => {
    const pair = new Pair()
    for (let count = 0; count < 10_000; count++) {
      const channel = count % 2 ? pair.open() : pair.exec()
      pair.say(Kind.OPEN, 2)
      pair.say(Kind.CLOSE, 2)
      channel.close()
      pair.take()
      pair.say(Kind.CLOSE, channel.id)
    }
    expect(pair.connection.channelCount).toBe(0)
  })
})

describe('status and terminate', () => {
  it('requests are numbered, so that answers find them', () => {
    const pair = new Pair()
    expect([pair.connection.requestStatus(), pair.connection.requestStatus()]).toEqual([1, 2])
    expect(pair.takeNames()).toEqual(['STATUS 1', 'STATUS 2'])
  })

  it('grace is sent in milliseconds; as long as can be said, when it is longer', () => {
    const pair = new Pair()
    for (const ms of [2000, Number.POSITIVE_INFINITY]) pair.connection.sendTerminate(ms)
    const payloads = pair.take().map(({ payload }) => Buffer.from(payload).readUInt32BE())
    expect(payloads).toEqual([2000, 2 ** 32 - 1])
  })
})
