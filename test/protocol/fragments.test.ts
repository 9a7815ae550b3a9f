// A payload in fragments, and what bounds it.
import { describe, expect, it } from 'vitest'
import { Fragments } from '../../src/protocol/fragments.js'
import { joinPieces } from '../../src/protocol/frame-reader.js'
import { bytesOf, textOf } from './pair.js'

function add(fragments: Fragments, text: string, hasMore: boolean): string | undefined {
  const whole = fragments.add([bytesOf(text)], hasMore, 1)
  return whole && textOf(joinPieces(whole))
}

describe('fragments', () => {
  it('become one payload with the last of them, and then the next one begins', () => {
    const fragments = new Fragments(100)
    expect(['ab', 'cd'].map((text) => add(fragments, text, true))).toEqual([undefined, undefined])
    expect(add(fragments, 'ef', false)).toBe('abcdef')
    expect(add(fragments, 'next', false)).toBe('next')
  })

  it('may be empty, first, amid and last', () => {
    const fragments = new Fragments(100)
    expect(fragments.add([], true, 1)).toBeUndefined()
    expect(fragments.isPartial).toBe(true)
    add(fragments, 'ab', true)
    expect(fragments.add([], true, 1)).toBeUndefined()
    expect(add(fragments, '', false)).toBe('ab')
    expect(fragments.isPartial).toBe(false)
  })

  it('are refused with the byte that is too many, whole or in parts', () => {
    const tooMany = 'a payload of more than 4 bytes on channel 1'
    expect(() => add(new Fragments(4), 'abcde', false)).toThrow(tooMany)
    const fragments = new Fragments(4)
    expect(add(fragments, 'abcd', true)).toBeUndefined()
    expect(() => add(fragments, 'e', true)).toThrow(tooMany)
  })

  it('count anew for every payload', () => {
    const fragments = new Fragments(4)
    for (let round = 0; round < 3; round++) {
      expect(add(fragments, 'ab', true)).toBeUndefined()
      expect(add(fragments, 'cd', false)).toBe('abcd')
      expect(add(fragments, 'abcd', false)).toBe('abcd')
    }
  })

  it('that are cleared leave nothing behind', () => {
    const fragments = new Fragments(4)
    add(fragments, 'abcd', true)
    fragments.clear()
    expect(add(fragments, 'efgh', false)).toBe('efgh')
  })
})
