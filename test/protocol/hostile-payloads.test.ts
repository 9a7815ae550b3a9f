// Payloads that are short and make much: what is made of one is counted while it is read, and refused when it is too much.
import { describe, expect, it } from 'vitest'
import { LoadError } from '../../src/errors.js'
import { decode, dumps, encode, firstNumber, UNASKED } from '../../src/protocol/codec.js'
import { Fragments } from '../../src/protocol/fragments.js'

const PROTO = [0x80, 4]
const MARK = 0x28
const MiB = 1024 * 1024

/** A pickle of these opcodes, so many times over, between a beginning and an end. */
function pickle(
  begin: readonly number[],
  repeated: readonly number[],
  times: number,
  end: readonly number[],
): Uint8Array {
  return Uint8Array.from([...PROTO, ...begin, ...Array.from({ length: times }, () => repeated).flat(), ...end])
}

const ascii = (text: string): number[] => [...Buffer.from(text)]

describe('what takes too much memory is a LoadError', () => {
  it.each([
    ['sets', pickle([0x5d, MARK], [0x8f], 20_000, [0x65, 0x2e])],
    ['dicts', pickle([0x5d, MARK], [0x7d], 60_000, [0x65, 0x2e])],
    ['lists of a member', pickle([0x5d, MARK], [0x5d, 0x4e, 0x61], 20_000, [0x65, 0x2e])],
    ['tuples of a member', pickle([0x5d, MARK], [0x4e, 0x85], 20_000, [0x65, 0x2e])],
    ['None', pickle([], [0x4e], 300_000, [0x2e])],
    ['marks', pickle([], [MARK], 300_000, [0x2e])],
    ['what is dropped again', pickle([0x4e], [0x8f, 0x30], 20_000, [0x2e])],
    [
      'sets of one list, again and again',
      pickle(
        [0x5d, 0x94, MARK, ...Array.from({ length: 250 }, (_, at) => [0x4b, at]).flat(), 0x65, 0x30],
        [...ascii('cbuiltins\nset\n'), 0x68, 0, 0x85, 0x52, 0x30],
        500,
        [0x4e, 0x2e],
      ),
    ],
    ['bytes of which there are none', pickle([0x5d, MARK], [0x43, 0], 16_000, [0x65, 0x2e])],
    ['long ints', pickle([0x5d, MARK], [0x8a, 40, ...Array.from({ length: 40 }, () => 1)], 3000, [0x65, 0x2e])],
    [
      'numbers as keys, for which V8 makes room from 0 on',
      pickle([0x5d, MARK], [0x7d, 0x8c, 4, ...ascii('1023'), 0x4e, 0x73], 200, [0x65, 0x2e]),
    ],
    [
      'a text that is made into bytes, again and again',
      pickle(
        [
          ...ascii('c_codecs\nencode\n'),
          0x94,
          0x8c,
          200,
          ...ascii('x'.repeat(200)),
          0x8c,
          6,
          ...ascii('latin1'),
          0x86,
          0x94,
          0x30,
        ],
        [0x68, 0, 0x68, 1, 0x52, 0x30],
        500,
        [0x2e],
      ),
    ],
  ])('%s', (_, payload) => {
    expect(() => decode(payload, { maxMemory: 4 * MiB })).not.toThrow(/does not end|mark is missing/)
    expect(() => decode(payload, { maxMemory: MiB })).toThrow(/takes more than 1048576 bytes of memory/)
  })

  it('a number in the memo that skips others', () => {
    expect(() => decode(pickle([0x4e, 0x72, 0xff, 0xff, 0, 0], [0x4e], 70_000, [0x2e]))).toThrow(LoadError)
  })

  it('a long int of more than 16 MiB', () => {
    const long = new Uint8Array(17 * MiB)
    long.set([...PROTO, 0x8b])
    new DataView(long.buffer).setUint32(3, 17 * MiB - 8, true)
    long[long.length - 1] = 0x2e
    expect(() => decode(long)).toThrow(/int of 17825784 bytes is longer than 16777216/)
  })
})

describe('numbers that V8 hashes alike', () => {
  // A bigint is hashed by its lowest 64 bits: here those are 0. IPv6 networks are such numbers.
  const network = (at: number): number[] => [0x8a, 11, 0, 0, 0, 0, 0, 0, 0, 0, at & 0xff, at >> 8, 1]
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => network(at)).flat()
  const pairs = (count: number): number[] => Array.from({ length: count }, (_, at) => [...network(at), 0x4e]).flat()
  const payloads = (count: number): [name: string, payload: Uint8Array][] => [
    ['a set', Uint8Array.from([...PROTO, 0x8f, MARK, ...numbers(count), 0x90, 0x2e])],
    ['a frozenset', Uint8Array.from([...PROTO, MARK, ...numbers(count), 0x91, 0x2e])],
    ['a dict', Uint8Array.from([...PROTO, 0x7d, MARK, ...pairs(count), 0x75, 0x2e])],
    [
      'a set of a list',
      Uint8Array.from([...PROTO, ...ascii('cbuiltins\nset\n'), 0x5d, MARK, ...numbers(count), 0x65, 0x85, 0x52, 0x2e]),
    ],
  ]

  it.each(payloads(16_000))('%s of too many is a LoadError', (_, payload) => {
    expect(() => decode(payload)).toThrow(/numbers as keys that JavaScript cannot tell apart fast enough/)
  })

  it.each(payloads(3000))('%s of some thousand is read', (_, payload) => {
    expect((decode(payload) as Set<unknown>).size).toBe(3000)
  })

  it('are counted together in all containers of an item', () => {
    const list = [0x5d, 0x94, MARK, ...numbers(3000), 0x65, 0x30]
    const payload = pickle(
      [...list, ...ascii('cbuiltins\nset\n'), 0x94, 0x30],
      [0x68, 1, 0x68, 0, 0x85, 0x52, 0x30],
      20,
      [0x4e, 0x2e],
    )
    expect(() => decode(payload)).toThrow(/numbers as keys that JavaScript cannot tell apart fast enough/)
  })

  it('are not those of any other kind', () => {
    const others = [
      Array.from({ length: 60_000 }, (_, at) => at),
      Array.from({ length: 60_000 }, (_, at) => at * 65_536),
      Array.from({ length: 60_000 }, (_, at) => at + 0.5),
      Array.from({ length: 60_000 }, (_, at) => at * 2 ** 40),
      Array.from({ length: 60_000 }, (_, at) => BigInt(at) + 2n ** 64n),
    ]
    for (const members of others) expect((decode(dumps(new Set<unknown>(members))) as Set<unknown>).size).toBe(60_000)
  })
})

it('what nobody has asked for has not more opcodes than are read in a moment', () => {
  const payload = pickle([], [0x4e, 0x30], 2 ** 19 + 10_000, [0x4e, 0x2e])
  expect(decode(payload)).toBe(null)
  expect(() => decode(payload, UNASKED)).toThrow('more than 262144 opcodes')
})

it('what nobody has asked for has not more text than is read in a moment', () => {
  for (const value of ['é'.repeat(20 * MiB), Array.from({ length: 120_000 }, (_, at) => `${at} ${'x'.repeat(60)}`)])
    expect(() => decode(dumps(value), UNASKED)).toThrow(/takes more than 3145728 bytes of memory/)
  expect(decode(dumps(['x'.repeat(14 * MiB)]), UNASKED)).toHaveLength(1)
})

it('a dict that becomes a map is that wherever it stands', () => {
  const dict = [0x7d, 0x8c, 1, ...ascii('a'), 0x4e, 0x73]
  const twice = Uint8Array.from([
    ...PROTO,
    ...dict,
    0x32,
    0x4b,
    1,
    0x4e,
    0x73,
    0x30,
    0x8c,
    1,
    ...ascii('b'),
    0x4e,
    0x73,
    0x2e,
  ])
  expect(decode(twice)).toEqual(
    new Map<unknown, unknown>([
      ['a', null],
      [1, null],
      ['b', null],
    ]),
  )
})

it('says what is wrong in a few words, however long what is wrong is', () => {
  const dtype = [0x58, 0, 0, 1, 0, ...ascii('1'.repeat(65_536))]
  const array = pickle(
    [...ascii('c_tendril.values\nndarray\n'), ...dtype],
    [0x4b, 1, 0x85, 0x43, 1, 0, 0x87, 0x52],
    1,
    [0x2e],
  )
  let message = ''
  try {
    decode(array)
  } catch (error) {
    message = String(error)
  }
  expect(message).toMatch(/an array of shape \(1\) and dtype 1111/)
  expect(message.length).toBeLessThan(1100)
})

it('tells the number that a list begins with, of whatever Python', () => {
  for (const number of [0, 7, 300, -1, 70_000, -5_000_000]) {
    const list = [number, 'x'.repeat(100)]
    for (const payload of [dumps(list), ...encode(list, { protocol: 4 })]) expect(firstNumber(payload)).toBe(number)
  }
  for (const value of [[], ['x'.repeat(20)], { a: 1 }, [1.5, 2]]) expect(firstNumber(dumps(value))).toBeUndefined()
})

it('reads long ints to the last digit', () => {
  for (const digits of [100, 4095, 4096, 4097, 20_000]) {
    const value = -(BigInt(`0x7${'0123456789abcdef'.repeat(digits / 8)}`) ** 1n)
    expect(decode(dumps(value))).toBe(value)
  }
})

it('reads what is long and honest with the memory that it has bytes', () => {
  for (const value of ['x'.repeat(MiB), [{ rows: ['x'.repeat(MiB)] }]])
    expect(decode(dumps(value), { maxMemory: 10_000 })).toEqual(value)
})

it('keeps no view for each fragment of a byte', () => {
  const fragments = new Fragments(MiB)
  for (let at = 0; at < 100_000; at++) fragments.add([Uint8Array.of(at)], true)
  const pieces = fragments.add([Uint8Array.of(7)], false)
  expect(Array.isArray(pieces) && pieces.length < 40).toBe(true)
  const all = Buffer.concat(pieces as Uint8Array[])
  expect([all.length, all[99_999], all.at(-1)]).toEqual([100_001, 99_999 & 0xff, 7])
})

it('keeps no chunk alive for the few bytes of it that are of a fragment', () => {
  const fragments = new Fragments(MiB)
  for (let at = 0; at < 40; at++) fragments.add([new Uint8Array(64 * 1024).subarray(0, at < 20 ? 1 : 2000)], true)
  const pieces = fragments.add([new Uint8Array(8)], false) as Uint8Array[]
  let kept = 0
  for (const buffer of new Set(pieces.map((piece) => piece.buffer))) kept += buffer.byteLength
  expect(kept).toBeLessThan(200_000)
})
