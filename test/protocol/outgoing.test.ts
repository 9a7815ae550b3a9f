// Bytes on their way out: in order, in few chunks, and never written to again.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFrame, Kind } from '../../src/protocol/frames.js'
import { Outgoing } from '../../src/protocol/outgoing.js'
import { bytesOf, concat, textOf } from './pair.js'

describe('what was gathered', () => {
  it('is handed over once, in order', () => {
    const outgoing = new Outgoing()
    for (const text of ['a', 'bc', '', 'd']) outgoing.append(bytesOf(text))
    expect(outgoing.bytes).toBe(4)
    expect(outgoing.take().map(textOf)).toEqual(['abcd'])
    expect(outgoing.take()).toEqual([])
    expect(outgoing.bytes).toBe(0)
  })

  it('has headers as encodeFrame writes them', () => {
    const outgoing = new Outgoing()
    outgoing.header(Kind.DATA, 1, 515, 3)
    outgoing.append(bytesOf('abc'))
    expect(concat(...outgoing.take())).toEqual(encodeFrame(Kind.DATA, 1, 515, bytesOf('abc')))
  })

  it('is one chunk for a thousand small frames', () => {
    const outgoing = new Outgoing()
    for (let count = 0; count < 1000; count++) outgoing.append(encodeFrame(Kind.CLOSE, 0, count))
    expect(outgoing.take()).toHaveLength(1)
  })

  it('holds large bytes as they are, between copies of the small ones', () => {
    const outgoing = new Outgoing()
    const large = new Uint8Array(200_000)
    for (const bytes of [bytesOf('before'), large, bytesOf('after')]) outgoing.append(bytes)
    const [before, middle, after] = outgoing.take()
    expect([textOf(before!), textOf(after!)]).toEqual(['before', 'after'])
    expect(middle).toBe(large)
  })

  it('stays as it is when more is gathered', () => {
    const outgoing = new Outgoing()
    outgoing.append(bytesOf('first'))
    const first = outgoing.take()
    for (let count = 0; count < 10_000; count++) outgoing.append(bytesOf('second'))
    outgoing.take()
    expect(first.map(textOf)).toEqual(['first'])
  })

  it('is every byte in order, for any sizes and any times of taking', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.boolean()), { maxLength: 12 })
    fc.assert(
      fc.property(sizes, (steps) => {
        const outgoing = new Outgoing()
        const taken: Uint8Array[] = []
        const all = steps.map(([size, isTaken], at) => {
          const bytes = new Uint8Array(size).fill(at + 1)
          outgoing.append(bytes)
          if (isTaken) taken.push(...outgoing.take())
          return bytes
        })
        expect(Buffer.compare(concat(...taken, ...outgoing.take()), concat(...all))).toBe(0)
      }),
      { numRuns: 50 },
    )
  })
})
