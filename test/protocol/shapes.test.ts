// What a peer has sent is looked through in proportion to its bytes, however often it refers to the same.
import { expect, it } from 'vitest'
import { dictOf, list, type Shape } from '../../src/protocol/shapes.js'

it('looks through a container once', () => {
  let looks = 0
  const counted: Shape<unknown> = (value): value is unknown => ++looks > 0 && value !== undefined
  const dict = { a: 1, b: 2 }
  const inner = [dict, dict]
  expect(list(list(dictOf(counted)))([inner, inner, inner])).toBe(true)
  expect(looks).toBe(2)
})
