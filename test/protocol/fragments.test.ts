// A payload in fragments, and what bounds it.
import { describe, expect, it } from 'vitest'
import { Fragments } from '../../src/protocol/fragments.js'
import { joinPieces } from '../../src/protocol/frame-reader.js'
import { TooLong } from '../../src/protocol/too-long.js'
import { bytesOf, textOf } from './pair.js'

function add(fragments: Fragments, text: string, hasMore: boolean): string | undefined {
  const whole = fragments.add([bytesOf(text)], hasMore)
  if (whole instanceof TooLong) return `too long: ${textOf(whole.head)} of ${whole.length}`
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
    expect(fragments.add([], true)).toBeUndefined()
    expect(fragments.isPartial).toBe(true)
    add(fragments, 'ab', true)
    expect(fragments.add([], true)).toBeUndefined()
    expect(add(fragments, '', false)).toBe('ab')
    expect(fragments.isPartial).toBe(false)
  })

  it('that are too many are let go but for the first, whole or in parts, and the next payload is none the worse', () => {
    const fragments = new Fragments(4)
    expect(add(fragments, 'abcde', false)).toBe('too long: abcde of 5')
    expect(add(fragments, 'abcd', true)).toBeUndefined()
    expect(add(fragments, 'e', true)).toBeUndefined()
    expect(fragments.isPartial).toBe(true)
    expect(add(fragments, 'f'.repeat(100), false)).toBe('too long: abcde of 105')
    expect(fragments.isPartial).toBe(false)
    expect(add(fragments, 'abcd', false)).toBe('abcd')
  })

  it('that are too many keep no chunk alive', () => {
    const fragments = new Fragments(4)
    const chunk = new Uint8Array(65_536)
    fragments.add([chunk], true)
    const tooLong = fragments.add([chunk], false)
    expect(tooLong instanceof TooLong && tooLong.head.buffer.byteLength).toBe(64)
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
