// What grows with the size of a value, of each kind: it goes to the worker and comes back.
import {
  Complex,
  Decimal,
  Deque,
  Fraction,
  FrozenSet,
  float,
  NaiveDateTime,
  OrderedDict,
  PlainDate,
  PlainTime,
  PythonPath,
  Range,
  TimeDelta,
  Tuple,
  UUID,
} from 'tendril'
import { range } from './steps.mjs'

const DEPTH = 100 // values may be nested only so deep: of longer ones there are more

const shared = { a: [1] }
const day = new PlainDate(2026, 11, 30)
const nested = (make) => (n) => range(n / DEPTH, () => range(DEPTH, (i) => i).reduce((inner) => make(inner), 0))

/** By what there are n of. */
const kinds = {
  'small ints': (n) => range(n, (i) => i),
  'ints of 50 bits': (n) => range(n, (i) => 2 ** 50 + i),
  'big ints': (n) => range(n, (i) => 2n ** 80n + BigInt(i)),
  'hexadecimal digits of an int': (n) => BigInt(`0x${'1f'.repeat(n * 8)}`),
  floats: (n) => range(n, (i) => i + 0.5),
  'ints as floats': (n) => range(n, (i) => float(i)),
  'booleans and nulls': (n) => range(n, (i) => [true, false, null][i % 3]),
  'short texts': (n) => range(n, (i) => `text ${i}`),
  'equal texts': (n) => range(n, () => 'the same text'),
  'texts beyond ASCII': (n) => range(n, (i) => `été ${i} 🙂`),
  'characters of a text': (n) => 'some text '.repeat(n),
  'characters of a text beyond ASCII': (n) => 'été 🙂 '.repeat(n),
  'lone surrogates of a text': (n) => '\ud800x'.repeat(n),
  'short bytes': (n) => range(n, (i) => Buffer.from(`bytes ${i}`)),
  'bytes of an array': (n) => new Uint8Array(n * 64),
  'members of a typed array': (n) => new Float64Array(n * 8),
  'typed arrays': (n) => range(n, (i) => Int32Array.of(i)),
  lists: (n) => range(n, (i) => [i]),
  'nested lists': nested((inner) => [inner]),
  'nested dicts': nested((inner) => ({ inner })),
  tuples: (n) => range(n, (i) => new Tuple(i, 'a')),
  'nested tuples': nested((inner) => new Tuple(inner, 1)),
  dicts: (n) => range(n, (i) => ({ id: i, name: 'a' })),
  'keys of a dict': (n) => Object.fromEntries(range(n, (i) => [`key ${i}`, i])),
  'keys of a Map': (n) => new Map(range(n, (i) => [i, i])),
  'tuples as keys': (n) => new Map(range(n, (i) => [new Tuple(i, i), i])),
  'ordered dicts': (n) => new OrderedDict(range(n, (i) => [`key ${i}`, i])),
  'members of a set': (n) => new Set(range(n, (i) => i)),
  'frozen sets': (n) => range(n, (i) => new FrozenSet([i])),
  'members of a deque': (n) => new Deque(range(n, (i) => i)),
  ranges: (n) => range(n, (i) => new Range(0, i)),
  'references to one object': (n) => range(n, () => shared),
  'objects that refer to each other': (n) => {
    const objects = range(n, (id) => ({ id }))
    for (const [i, object] of objects.entries()) object.other = objects[i ^ 1]
    return objects
  },
  dates: (n) => range(n, (i) => new Date(i * 1000)),
  'naive dates and times': (n) => range(n, (i) => new NaiveDateTime(day, new PlainTime(1, 2, i % 60))),
  'days and times': (n) => range(n, (i) => [day, new PlainTime(1, 2, i % 60), new TimeDelta(1, i)]),
  'complex numbers': (n) => range(n, (i) => new Complex(i, 1)),
  decimals: (n) => range(n, (i) => new Decimal(`${i}.5`)),
  'digits of a decimal': (n) => new Decimal('7'.repeat(n * 10)),
  fractions: (n) => range(n, (i) => new Fraction(i, 3)),
  UUIDs: (n) => range(n, () => new UUID('12345678-1234-5678-1234-567812345678')),
  paths: (n) => range(n, (i) => new PythonPath(`/a/${i}`)),
  URLs: (n) => range(n, (i) => new URL(`http://host/${i}`)),
  'regular expressions': (n) => range(n, (i) => new RegExp(`a${i}`)),
  errors: (n) => range(n, (i) => new RangeError(`no ${i}`)),
}

export const values = Object.fromEntries(
  Object.entries(kinds).map(([title, make]) => [
    title,
    ({ gateway }, n) => {
      const channel = gateway.remoteExec('for item in channel: channel.send(item)')
      const value = make(n)
      return async () => {
        await channel.send(value)
        await channel.receive()
        return () => channel.close()
      }
    },
  ]),
)
