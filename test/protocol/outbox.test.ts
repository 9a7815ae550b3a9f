// What waits on a channel: in order, whether it is kept for itself or beside others.
import { describe, expect, it } from 'vitest'
import { Kind } from '../../src/protocol/frames.js'
import { type Outbound, Outbox } from '../../src/protocol/outbox.js'
import { bytesOf, textOf } from './pair.js'

type OnDone = (dropped?: boolean) => void

/** Takes the first that waits, whole. */
function shift(box: Outbox): Outbound | undefined {
  return box.advance(
    Number.POSITIVE_INFINITY,
    () => undefined,
    () => undefined,
  )
}

/** An outbox, and the texts that it gives out. */
function fill(): {
  box: Outbox
  push(text: string, onDone?: OnDone, kind?: number): void
  texts(count?: number): string[]
} {
  const box = new Outbox()
  return {
    box,
    push: (text, onDone, kind = Kind.DATA) => {
      const parts = [text.slice(0, 2), text.slice(2)].map(bytesOf)
      box.push({ kind, flags: 0, parts, size: text.length, onDone })
    },
    texts: (count = box.length) =>
      Array.from({ length: count }, () => {
        const outbound = box.first
        expect(shift(box)).toBe(outbound)
        return `${outbound?.kind}:${outbound?.parts.map(textOf).join('')}`
      }),
  }
}

describe('what waits for its turn', () => {
  it('comes in order, whoever waits for it together with others', () => {
    const { box, push, texts } = fill()
    const [one, other] = [(): void => undefined, (): void => undefined]
    for (let i = 0; i < 9; i++) push(`item ${i}`, i < 5 ? one : other)
    push('', other)
    push('reason', undefined, Kind.CLOSE)
    expect(box.length).toBe(11)
    expect(texts(3)).toEqual(['6:item 0', '6:item 1', '6:item 2'])
    push('later', one)
    const rest = ['6:item 3', '6:item 4', '6:item 5', '6:item 6', '6:item 7', '6:item 8', '6:', `${Kind.CLOSE}:reason`]
    expect(texts()).toEqual([...rest, '6:later'])
    expect([box.length, box.first, shift(box)]).toEqual([0, undefined, undefined])
  })

  it('calls for each item what is to be called for it, and copies no long one', () => {
    const { box, push } = fill()
    const onDone = (): void => undefined
    const long = 'x'.repeat(5000)
    for (const text of ['a', 'b', long, 'c', 'd']) push(text, onDone)
    const parts = Array.from({ length: 5 }, () => {
      const outbound = shift(box)
      expect(outbound?.onDone).toBe(onDone)
      return outbound?.parts.length
    })
    expect(parts).toEqual([2, 1, 2, 1, 1])
  })

  it('stays what it is when more is put behind what was given out', () => {
    const { box, push } = fill()
    const onDone = (): void => undefined
    for (const text of ['plain', 'first']) push(text, onDone)
    shift(box)
    const given = box.first
    for (let i = 0; i < 50_000; i++) push(`${i}`, onDone)
    expect(given?.parts.map(textOf)).toEqual(['first'])
    expect(shift(box)).toBe(given)
    const last = Array.from({ length: 50_000 }, () => shift(box)).at(-1)
    expect(last?.parts.map(textOf)).toEqual(['49999'])
  })
})
