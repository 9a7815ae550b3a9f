// What keeps a slow reader's small items from keeping whole chunks alive.
import { describe, expect, it } from 'vitest'
import { Slab } from '../../src/protocol/slab.js'

const chunk = Uint8Array.from({ length: 65_536 }, (_, at) => at % 251)

describe('a slab', () => {
  it('keeps equal bytes, in memory that is not the chunk', () => {
    const slab = new Slab()
    for (const length of [0, 1, 20, 5000, 16_000]) {
      const piece = chunk.subarray(7, 7 + length)
      const kept = slab.keep(piece)
      expect(kept).toEqual(piece)
      expect(kept.buffer).not.toBe(chunk.buffer)
    }
  })

  it('leaves a piece where it is when it is much of its chunk', () => {
    const piece = chunk.subarray(0, 40_000)
    expect(new Slab().keep(piece)).toBe(piece)
  })

  it('does not write over what it has kept', () => {
    const slab = new Slab()
    const kept = Array.from({ length: 5000 }, (_, at) => slab.keep(chunk.subarray(at, at + 30)))
    for (const [at, bytes] of kept.entries()) expect(bytes[0]).toBe(at % 251)
  })

  it('takes little more memory than the pieces have, and little for one', () => {
    const slab = new Slab()
    const buffers = (count: number): number => {
      const kept = Array.from({ length: count }, () => slab.keep(chunk.subarray(0, 100)).buffer)
      return [...new Set(kept)].reduce((bytes, buffer) => bytes + buffer.byteLength, 0)
    }
    expect(buffers(1)).toBeLessThanOrEqual(1024)
    expect(buffers(10_000)).toBeLessThan(1.2 * 1_000_000)
  })
})
