// The arguments of a failure are payloads, which its worker may refer to as often as it likes.
import { expect, it } from 'vitest'
import { failureOf, payloadReader } from '../../src/gateways/close-reason.js'
import { dumps } from '../../src/protocol/codec.js'

it('reads an argument once, however often the failure has it', () => {
  const payload = dumps([1])
  const { args } = failureOf({ type: 'ValueError', args: [payload, payload] }, 'gw0')
  expect(args).toStrictEqual([[1], [1]])
  expect(args[0]).toBe(args[1])
})

it('reads as many as may be read together, and says so of the others', () => {
  const read = payloadReader({ maxMemory: 100_000 })
  const dicts = (): Uint8Array => dumps(Array.from({ length: 1000 }, () => ({})))
  expect(read(dicts())).toHaveLength(1000)
  expect(read(dicts())).toMatch(/^<cannot load an item: what it holds takes more than 100000 bytes of memory/)
  expect(read('text')).toBe('text')
})
