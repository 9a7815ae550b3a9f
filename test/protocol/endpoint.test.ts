// One end of a channel: what it sends in order, what it takes, and what it lets go of.
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import type { Endpoint } from '../../src/protocol/endpoint.js'
import { encodeUint32, Flag, FRAGMENT_BYTES, ITEM_OVERHEAD, Kind, WINDOW_BYTES } from '../../src/protocol/frames.js'
import { bytesOf, notingIn, Pair, textOf } from './pair.js'

/** The next fragment: its kind, its bytes, and a plus when there is more. */
function advance(channel: Endpoint, maxBytes: number): string {
  let text = ''
  channel.advance(
    maxBytes,
    ({ kind }, length, isLast) => {
      text = `${kind}:${length}${isLast ? '' : '+'}:`
    },
    (bytes) => {
      text += textOf(bytes)
    },
  )
  return text
}

/** An item of several parts, which waits for its turn. */
const parts = (...texts: string[]): Uint8Array[] => texts.map(bytesOf)

describe('sending', () => {
  it('cuts an item into fragments across its parts, without copying them', () => {
    const channel = new Pair().open()
    channel.send(parts('ab', '', 'cdefg', 'h'))
    expect([3, 3, 3].map((bytes) => advance(channel, bytes))).toEqual(['6:3+:abc', '6:3+:def', '6:2:gh'])
    expect(channel.canAdvance).toBe(false)
  })

  it('makes one fragment of an item that just fits, and of an empty one', () => {
    const channel = new Pair().open()
    channel.send(parts('ab', 'c'))
    channel.send(parts('', ''))
    expect([advance(channel, 3), advance(channel, 3), advance(channel, 3)]).toEqual(['6:3:abc', '6:0:', ''])
  })

  it('starts no item without room in the window, and completes the one that has been started', () => {
    const channel = new Pair().open()
    channel.send([new Uint8Array(WINDOW_BYTES), bytesOf('!')])
    channel.send(parts('ne', 'xt'))
    advance(channel, WINDOW_BYTES)
    expect(channel.canAdvance).toBe(true)
    advance(channel, 2)
    expect(channel.canAdvance).toBe(false)
    channel.onCredit(ITEM_OVERHEAD + 2)
    expect(channel.canAdvance).toBe(true)
  })

  it('keeps END and CLOSE behind the items, and takes no item behind them', () => {
    const channel = new Pair().open()
    const outcomes: unknown[] = []
    channel.send(parts('a', 'b'))
    channel.sendEnd()
    expect([channel.maySend, channel.isClosed, channel.mayStartNow]).toEqual([false, false, false])
    channel.close()
    expect(channel.isClosed).toBe(true)
    expect(channel.send(parts('la', 'te'), notingIn(outcomes))).toBe(false)
    expect([advance(channel, 9), advance(channel, 9), advance(channel, 9)]).toEqual(['6:2:ab', '8:0:', '11:0:'])
    expect(outcomes).toEqual([true])
  })

  it('may start an item at once only when nothing waits and the window has room', () => {
    const channel = new Pair().open()
    expect(channel.mayStartNow).toBe(true)
    channel.send(parts('a', 'b'))
    expect(channel.mayStartNow).toBe(false)
    advance(channel, 2)
    expect(channel.mayStartNow).toBe(true)
    channel.countSent(WINDOW_BYTES)
    expect(channel.mayStartNow).toBe(false)
  })

  it('tells everything that waits when the link is lost, what was sent in part as well', () => {
    const pair = new Pair()
    const channel = pair.open()
    const outcomes: unknown[][] = [[], []]
    channel.send(parts('ab', 'cd'), notingIn(outcomes[0] ?? []))
    channel.send(parts('e', 'f'), notingIn(outcomes[1] ?? []))
    channel.close()
    advance(channel, 2)
    pair.connection.lose(() => new Error('lost'))
    expect(outcomes).toEqual([[true], [true]])
    expect([channel.canAdvance, channel.isClosed]).toEqual([false, true])
  })

  it('lets go of what was not begun when it is abandoned, and closes behind what was', () => {
    const channel = new Pair().open()
    const outcomes: unknown[][] = [[], []]
    channel.send(parts('ab', 'cd'), notingIn(outcomes[0] ?? []))
    channel.send(parts('e', 'f'), notingIn(outcomes[1] ?? []))
    advance(channel, 2)
    channel.abandon()
    expect([advance(channel, 9), advance(channel, 9)]).toEqual(['6:2:cd', '11:0:'])
    expect(outcomes).toEqual([[], [true]]) // the first has left
  })

  it('flags every fragment of a reason', () => {
    const pair = new Pair()
    pair.open().close('x'.repeat(FRAGMENT_BYTES))
    const flags = pair.take().map((frame) => frame.flags)
    expect(flags).toEqual([0, Flag.ERROR | Flag.MORE, Flag.ERROR])
  })

  it('of more items ends when the peer is about to close, while its items still come', () => {
    const pair = new Pair()
    const channel = pair.open()
    channel.refuseItems()
    expect([channel.maySend, channel.isClosed]).toEqual([false, true])
    pair.say(Kind.DATA, channel.id, 'still here')
    expect(pair.happenings).toEqual([['item', channel.id, 'still here']])
  })
})

describe('receiving', () => {
  it('drops what arrives after our CLOSE, and the half item that came before it', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.say(Kind.DATA, channel.id, 'half', Flag.MORE)
    channel.close()
    pair.take()
    pair.say(Kind.DATA, channel.id, 'other half')
    pair.say(Kind.CREDIT, channel.id, encodeUint32(1_000_000))
    expect([channel.partialBytes, pair.happenings, pair.take()]).toEqual([0, [], []])
  })

  it('drops a half item when the peer closes amid it', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.say(Kind.DATA, channel.id, 'half', Flag.MORE)
    pair.say(Kind.CLOSE, channel.id)
    expect([channel.state, channel.partialBytes]).toEqual(['gone', 0])
    expect(pair.happenings).toEqual([['close', channel.id, undefined]])
  })

  it('takes a CLOSE in fragments, and stays as it is until the last', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.say(Kind.CLOSE, channel.id, 'because', Flag.ERROR | Flag.MORE)
    expect([channel.state, channel.partialBytes]).toEqual(['open', 7])
    pair.say(Kind.CLOSE, channel.id, ' of you', Flag.ERROR)
    expect(pair.happenings).toEqual([['close', channel.id, 'because of you']])
  })

  it('refuses an END amid an item, which would lose it', () => {
    const pair = new Pair()
    const channel = pair.open()
    pair.say(Kind.DATA, channel.id, 'half', Flag.MORE)
    expect(() => pair.say(Kind.END, channel.id)).toThrow(new ProtocolError('END amid an item on channel 1'))
  })

  it('refuses an item beyond the window, but not the fragments of one that was started within', () => {
    const pair = new Pair()
    const channel = pair.open()
    const half = new Uint8Array(FRAGMENT_BYTES)
    for (let sent = 0; sent < WINDOW_BYTES + FRAGMENT_BYTES; sent += half.length)
      pair.say(Kind.DATA, channel.id, half, Flag.MORE)
    pair.say(Kind.DATA, channel.id)
    expect(pair.items.map(({ size }) => size)).toEqual([WINDOW_BYTES + FRAGMENT_BYTES])
    expect(() => pair.say(Kind.DATA, channel.id)).toThrow(/an item beyond the window: \d+ bytes of \d+ are outstanding/)
    pair.items[0]?.consume()
    expect(() => pair.say(Kind.DATA, channel.id)).not.toThrow()
  })

  it('bounds what nobody has asked for while it comes, and what comes behind that by what it is then', () => {
    const pair = new Pair()
    const channel = pair.open()
    let mostBytes = 10
    channel.mostBytes = () => mostBytes
    const say = (): void => {
      pair.say(Kind.DATA, channel.id, 'half of it ', Flag.MORE)
      pair.say(Kind.DATA, channel.id, 'and the rest')
    }
    say()
    pair.say(Kind.DATA, channel.id, 'all of it in one')
    mostBytes = 100
    say()
    expect(pair.happenings.map(([, , item]) => String(item))).toEqual([
      'it takes 23 bytes, and 10 are the most (maxItemBytes)',
      'all of it in one',
      'half of it and the rest',
    ])
  })
})
