// The invariants: a value that can be sent comes back equal; any bytes at all are a value or a LoadError, on both sides.
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LoadError } from '../../src/errors.js'
import { decode, encode } from '../../src/protocol/codec.js'
import { DateTime, NaiveDateTime, PlainDate, PlainTime, TimeDelta } from '../../src/protocol/times.js'
import { Complex, Decimal, Deque, Fraction, FrozenSet, OrderedDict, Range, Tuple } from '../../src/protocol/values.js'
import { chosenInterpreters } from '../interpreters.js'
import { fromHex, PythonPeer, toHex } from './python-peer.js'

const vectors: { portable: string; framed: string; pickled?: Record<string, string> }[] = JSON.parse(
  readFileSync(new URL('../vectors/values.json', import.meta.url), 'utf8'),
)
const payloads = vectors
  .flatMap(({ portable, framed, pickled }) => [portable, framed, ...Object.values(pickled ?? {})])
  .map(fromHex)
  .filter(({ length }) => length < 2000)

const text = fc.string({ unit: 'binary' })
const scalars = fc.oneof(
  ...[fc.constant(null), fc.boolean(), fc.integer(), fc.maxSafeInteger(), fc.double(), text],
  fc.bigInt().map((value) => (Number.isSafeInteger(Number(value)) ? value + 2n ** 60n : value)),
  fc.uint8Array(),
  fc.date({ min: new Date(-6.2e13), max: new Date(2.5e14), noInvalidDate: true }),
  fc
    .tuple(fc.integer({ min: 0, max: 1e12 }), fc.integer({ min: 1, max: 999 }))
    .map(([ms, microsecond]) => new DateTime(ms, { microsecond })),
  fc.constantFrom<unknown>(
    new NaiveDateTime(new PlainDate(1, 1, 1)),
    ...[new PlainTime(23, 59, 59, { microsecond: 999_999 }), new TimeDelta(-5, 0, 1), new Decimal('-0.0')],
    ...[
      new Fraction(1, 3),
      new Complex(1, -0),
      new Range(0, 5, 2),
      new Deque([1], 3),
      new OrderedDict([['a', new Tuple()]]),
    ],
  ),
)
const keys = fc.oneof(
  fc.integer(),
  text,
  fc.tuple(fc.integer(), text).map((members) => new Tuple<unknown>(...members)),
)
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    tie('list'),
    tie('tuple'),
    tie('dict'),
    tie('map'),
    tie('set'),
  ),
  list: fc.array(tie('value')),
  tuple: fc.array(tie('value')).map((items) => new Tuple(...items)),
  dict: fc.dictionary(text, tie('value'), { noNullPrototype: true }),
  // A key that is no string, so that it does not arrive as a plain object.
  map: fc
    .array(fc.tuple(keys, tie('value')))
    .map((entries) => new Map<unknown, unknown>([[0.5, 1], ...entries.filter(unlike(entries))])),
  set: fc
    .oneof(fc.uniqueArray(fc.integer().map(unknown)), fc.uniqueArray(text.map(unknown)))
    .chain((items) => fc.constantFrom<unknown>(new Set(items), new FrozenSet(items))),
}))

function unknown(value: unknown): unknown {
  return value
}

/** Keys that are equal tuples would be refused: keeps the first of each. */
function unlike(
  entries: readonly [unknown, unknown][],
): (entry: readonly [unknown, unknown], index: number) => boolean {
  const first = new Map(entries.map(([key], i) => [JSON.stringify(key), i] as const).reverse())
  return ([key], i) => first.get(JSON.stringify(key)) === i
}

/** Payloads with bytes changed, cut out, put in, and parts of others spliced in. */
const mutated = fc
  .record({
    payload: fc.constantFrom(...payloads),
    other: fc.constantFrom(...payloads),
    edits: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 4 })), { minLength: 1, maxLength: 6 }),
  })
  .map(({ payload, other, edits }) => {
    const bytes = [...payload]
    for (const [place, byte, kind] of edits) {
      const at = place % (bytes.length + 1)
      if (kind === 0) bytes.splice(at, 1)
      else if (kind === 1) bytes.splice(at, 0, byte)
      else if (kind === 2) bytes.splice(at, bytes.length, ...other.subarray(place % other.length))
      else bytes[at] = byte
    }
    return Uint8Array.from(bytes)
  })

function decodesOrRefuses(payload: Uint8Array): void {
  try {
    decode(payload)
  } catch (error) {
    if (!(error instanceof LoadError)) throw error
  }
}

describe('any value', () => {
  it.each([2, 5])('comes back equal in protocol %i', (protocol) => {
    const property = fc.property(anyValue, (value) =>
      isDeepStrictEqual(decode(Buffer.concat(encode(value, { protocol }))), value),
    )
    fc.assert(property, { numRuns: 1000 })
  })

  it('goes to Python and back unchanged', async () => {
    // Python 2 forgets the order of dicts.
    for (const interpreter of chosenInterpreters().filter(({ name }) => name !== 'CPython 2.7')) {
      await using peer = new PythonPeer(interpreter.command)
      const values = fc.sample(anyValue, { numRuns: 200, seed: 7 })
      const echoes = await peer.ask({ echo: values.map((value) => toHex(encode(value, { protocol: 2 }))) })
      expect(echoes.filter((echo) => String(echo).startsWith('raised'))).toEqual([])
      for (const [i, echo] of echoes.entries()) {
        expect(decode(fromHex(String(echo))), `${interpreter.name}, value ${i}`).toStrictEqual(values[i])
      }
    }
  })
})

describe('any bytes', () => {
  it('are a value or a LoadError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodesOrRefuses), { numRuns: 10_000 })
  })

  it('that were a payload are a value or a LoadError', () => {
    fc.assert(fc.property(mutated, decodesOrRefuses), { numRuns: 10_000 })
  })

  it.each(chosenInterpreters())('are a value or a LoadError on $name', async ({ command }) => {
    await using peer = new PythonPeer(command, 'limited')
    const fuzz = fc.sample(mutated, { numRuns: 1500, seed: 11 }).map((payload) => toHex([payload]))
    expect(await peer.ask({ fuzz })).toEqual([])
  })
})
