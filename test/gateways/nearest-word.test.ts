// The guess at the end of an error text: near, or none.
import { expect, it } from 'vitest'
import { nearestWord } from '../../src/specs/nearest-word.js'

const words = ['popen', 'python', 'ssh_config', 'id', 'via']

it.each([
  ['pyhton', 'python'],
  ['POPEN', 'popen'],
  ['sshConfig', 'ssh_config'],
  ['pythn', 'python'],
  ['vai', 'via'],
])('takes %s for %s', (written, nearest) => {
  expect(nearestWord(written, words)).toBe(nearest)
})

it.each(['', 'x', 'environment'])('makes no guess at %j', (written) => {
  expect(nearestWord(written, words)).toBeUndefined()
})
