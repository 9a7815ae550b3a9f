// Texts that workers and programs send are read in no more than their length: who reads one in its square stands still for hours here.
import { expect, it } from 'vitest'
import { remoteErrorFrom } from '../src/errors.js'
import { quoted } from '../src/gateways/program-fault.js'
import { NdArray } from '../src/index.js'

const LENGTH = 2_000_000

it.each([' ', '\n', ' \n', '\u00a0'])('a failure whose text is full of %j', (filling) => {
  const message = `x${filling.repeat(LENGTH)}y`
  expect(remoteErrorFrom({ type: 'ValueError', message }, 'gw0').message).toMatch(/^ValueError: x.*(?:y| …)$/)
})

it.each([' ', '\n', ' \n'])('what a program said, full of %j', (filling) => {
  expect(quoted(`x${filling.repeat(LENGTH)}y`)).toMatch(/^"x.*y"$/)
})

it('a dtype that is mostly digits', () => {
  const dtype = `<${'1'.repeat(LENGTH)}x`
  expect(() => new NdArray(new Float64Array(1), [1], dtype)).toThrow(/ bytes, not 8$/)
})
