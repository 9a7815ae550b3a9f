// One channel: what it sends in order, what it takes, and what it lets go of.
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import { Flag, Kind } from '../../src/protocol/frames.js'
import { Lane } from '../../src/protocol/lane.js'
import { bytesOf, textOf } from './pair.js'

const makeLane = (windowBytes = 1000): Lane => new Lane(1, { windowBytes, maxItemBytes: 10_000 })

function enqueue(lane: Lane, kind: number, ...texts: string[]): (boolean | 'sent')[] {
  const outcomes: (boolean | 'sent')[] = []
  const parts = texts.map(bytesOf)
  const size = texts.join('').length
  lane.enqueue({ kind, flags: 0, parts, size, onDone: (dropped) => outcomes.push(dropped ?? 'sent') })
  return outcomes
}

/** The next fragment: its kind, its bytes, and a plus when there is more. */
function advance(lane: Lane, maxBytes: number): string {
  let text = ''
  lane.advance(
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

describe('sending', () => {
  it('cuts an item into fragments across its parts, without copying them', () => {
    const lane = makeLane()
    enqueue(lane, Kind.DATA, 'ab', '', 'cdefg', 'h')
    expect([3, 3, 3].map((bytes) => advance(lane, bytes))).toEqual(['6:3+:abc', '6:3+:def', '6:2:gh'])
    expect(lane.canAdvance).toBe(false)
  })

  it('makes one fragment of an item that just fits, and of an empty one', () => {
    const lane = makeLane()
    enqueue(lane, Kind.DATA, 'abc')
    enqueue(lane, Kind.DATA)
    expect([advance(lane, 3), advance(lane, 3), advance(lane, 3)]).toEqual(['6:3:abc', '6:0:', ''])
  })

  it('starts no item without room in the window, and completes the one that has been started', () => {
    const lane = makeLane(100)
    for (const text of ['abcd', 'next']) enqueue(lane, Kind.DATA, text)
    expect(advance(lane, 2)).toBe('6:2+:ab')
    expect(lane.canAdvance).toBe(true)
    advance(lane, 2)
    expect(lane.canAdvance).toBe(false)
    lane.onCredit(33)
    expect(lane.canAdvance).toBe(true)
  })

  it('keeps END and CLOSE behind the items, and takes no item behind them', () => {
    const lane = makeLane()
    enqueue(lane, Kind.DATA, 'ab')
    enqueue(lane, Kind.END)
    expect([lane.maySend, lane.mayClose, lane.mayStartNow]).toEqual([false, true, false])
    enqueue(lane, Kind.CLOSE, 'why')
    expect(lane.mayClose).toBe(false)
    expect([advance(lane, 9), advance(lane, 9), advance(lane, 9)]).toEqual(['6:2:ab', '8:0:', '11:3:why'])
  })

  it('may start an item at once only when nothing waits and the window has room', () => {
    const lane = makeLane(200)
    expect(lane.mayStartNow).toBe(true)
    enqueue(lane, Kind.DATA, 'ab')
    expect(lane.mayStartNow).toBe(false)
    advance(lane, 2)
    expect(lane.mayStartNow).toBe(true)
    lane.countStarted(0)
    expect(lane.mayStartNow).toBe(false)
  })

  it('tells everything that waits when it is dropped, what was sent in part as well', () => {
    const lane = makeLane()
    const outcomes = [enqueue(lane, Kind.DATA, 'abcd'), enqueue(lane, Kind.DATA, 'ef'), enqueue(lane, Kind.CLOSE)]
    advance(lane, 2)
    lane.drop()
    expect(outcomes).toEqual([[true], [true], [true]])
    expect(lane.canAdvance).toBe(false)
  })
})

describe('receiving', () => {
  it('drops what arrives after our CLOSE, and the half item that came before it', () => {
    const lane = makeLane()
    expect(lane.onData([bytesOf('half')], true, 1)).toBeUndefined()
    lane.move('sendClose')
    expect(lane.onData([bytesOf('other half')], false, 1)).toBeUndefined()
    lane.onCredit(1_000_000)
    expect(lane.consume(100_000)).toBe(0)
  })

  it('drops a half item when the peer closes amid it', () => {
    const lane = makeLane()
    lane.onData([bytesOf('half')], true, 1)
    expect(lane.onClose([], false)).toEqual(new Uint8Array(0))
    expect(lane.state).toBe('gone')
  })

  it('takes a CLOSE in fragments, and stays as it is until the last', () => {
    const lane = makeLane()
    expect(lane.onClose([bytesOf('because')], true)).toBeUndefined()
    expect(lane.state).toBe('open')
    expect(textOf(lane.onClose([bytesOf(' of you')], false)!)).toBe('because of you')
  })

  it('refuses an END amid an item, which would lose it', () => {
    const lane = makeLane()
    lane.onData([bytesOf('half')], true, 1)
    expect(() => lane.onEnd()).toThrow(new ProtocolError('END amid an item on channel 1'))
  })

  it('refuses an item beyond the window, but not the fragments of one that was started within', () => {
    const lane = makeLane(100)
    expect(lane.onData([bytesOf('a'.repeat(500))], true, 1)).toBeUndefined()
    expect(lane.onData([bytesOf('a'.repeat(500))], false, 1)).toHaveLength(1000)
    expect(() => lane.onData([], false, 1)).toThrow('an item beyond the window: 1128 bytes of 100 are outstanding')
    expect(lane.consume(1000)).toBe(1128)
    expect(lane.onData([], false, 1)).toHaveLength(0)
  })

  it('moves items out of their chunks when many chunks would be kept alive, and no others', () => {
    const lane = makeLane(10_000_000)
    const receive = (number: number): boolean => {
      const chunk = new Uint8Array(65_536)
      return lane.onData([chunk.subarray(10, 20)], false, number)?.buffer === chunk.buffer
    }
    const views = Array.from({ length: 1000 }, (_, at) => receive(at + 1)).filter((isView) => isView)
    expect(views).toHaveLength(256)
    for (let count = 0; count < 1000; count++) lane.consume(10)
    expect(Array.from({ length: 1000 }, () => receive(1001))).not.toContain(false)
  })
})

it('flags of a CLOSE are those of its outbound, so that every fragment of an error says so', () => {
  const lane = makeLane()
  const seen: number[] = []
  lane.enqueue({ kind: Kind.CLOSE, flags: Flag.ERROR, parts: [bytesOf('abc')], size: 3 })
  for (let count = 0; count < 3; count++)
    lane.advance(
      1,
      ({ flags }) => seen.push(flags),
      () => undefined,
    )
  expect(seen).toEqual([Flag.ERROR, Flag.ERROR, Flag.ERROR])
})
