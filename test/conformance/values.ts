// Values that the worker makes arrive as they should, and return with the value and the type that they had.
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type Channel,
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
} from '../../src/index.js'
import type { Subject } from './subject.js'

const big = 10n ** 100n

/** What Python makes, what it is here; all of it returns unchanged. */
const both: readonly [expression: string, here: unknown][] = [
  ['None', null],
  ['True', true],
  ['False', false],
  ...[0, 1, -1, 127, 128, 255, 256, -128, -129, 65535, 65536].map((n): [string, number] => [String(n), n]),
  ['2**31 - 1', 2147483647],
  ['2**31', 2147483648],
  ['-2**31', -2147483648],
  ['-2**31 - 1', -2147483649],
  ['2**53 - 1', Number.MAX_SAFE_INTEGER],
  ['2**53', 2n ** 53n],
  ['1 - 2**53', Number.MIN_SAFE_INTEGER],
  ['-2**53', -(2n ** 53n)],
  ['2**63', 2n ** 63n],
  ['-2**63', -(2n ** 63n)],
  ['2**64', 2n ** 64n],
  ['-2**64', -(2n ** 64n)],
  ['10**100', big],
  ['-10**100', -big],
  ['2**5000', 2n ** 5000n],
  ['1.5', 1.5],
  ['-0.0', -0],
  ['5e-324', 5e-324],
  ['1e300', 1e300],
  ['float("inf")', Number.POSITIVE_INFINITY],
  ['-float("inf")', Number.NEGATIVE_INFINITY],
  ['float("nan")', Number.NaN],
  ['1+2j', new Complex(1, 2)],
  ['complex(-0.0, float("inf"))', new Complex(-0, Number.POSITIVE_INFINITY)],
  ['u""', ''],
  ['u"a\\xe9\\0\\U0001f600"', 'aé\0😀'],
  ['u"\\ud800 alone"', '\ud800 alone'],
  ['u"x" * 70000', 'x'.repeat(70000)],
  ['[]', []],
  ['{}', {}],
  ['()', new Tuple()],
  ['set()', new Set()],
  ['frozenset()', new FrozenSet()],
  ['[1, [2, [None]], u"x"]', [1, [2, [null]], 'x']],
  ['(1, (), (3,))', new Tuple<unknown>(1, new Tuple(), new Tuple(3))],
  ['set([1, u"a", (2,)])', new Set<unknown>([1, 'a', new Tuple(2)])],
  ['frozenset([1, frozenset()])', new FrozenSet<unknown>([1, new FrozenSet()])],
  ['{u"a": 1, u"b": {u"c": [2]}}', { a: 1, b: { c: [2] } }],
  ['{u"constructor": 1, u"": 2}', { constructor: 1, '': 2 }],
  [
    '{(1, 2): 3, None: 4, u"x": 5}',
    new Map<unknown, unknown>([
      [new Tuple(1, 2), 3],
      [null, 4],
      ['x', 5],
    ]),
  ],
  [
    '{1: u"one", -1: u"less"}',
    new Map([
      [1, 'one'],
      [-1, 'less'],
    ]),
  ],
  ['xrange(2, 8, 3) if PY2 else range(2, 8, 3)', new Range(2, 8, 3)],
  [
    'datetime.datetime(2024, 2, 29, 13, 5, 0, 250)',
    new NaiveDateTime(new PlainDate(2024, 2, 29), new PlainTime(13, 5, 0, { microsecond: 250 })),
  ],
  ['datetime.date(1, 1, 1)', new PlainDate(1, 1, 1)],
  ['datetime.time(23, 59, 59, 999999)', new PlainTime(23, 59, 59, { microsecond: 999999 })],
  ['datetime.timedelta(-1, 3, 5)', new TimeDelta(-1, 3, 5)],
  ['decimal.Decimal("1.50")', new Decimal('1.50')],
  ['fractions.Fraction(-1, 3)', new Fraction(-1, 3)],
  ['uuid.UUID(int=5)', new UUID('00000000-0000-0000-0000-000000000005')],
  [
    'collections.OrderedDict([(u"b", 1), (u"a", 2)])',
    new OrderedDict([
      ['b', 1],
      ['a', 2],
    ]),
  ],
  ['collections.deque([1, 2], 5)', new Deque([1, 2], 5)],
]

/** What only Python 3 has. */
const python3: readonly [expression: string, here: unknown][] = [
  ['b""', new Uint8Array()],
  ['b"\\x00\\xff"', new Uint8Array([0, 255])],
  ['bytes(bytearray(range(256))) * 300', new Uint8Array(76800).map((_, index) => index % 256)],
  ['pathlib.PurePosixPath("/a/b")', new PythonPath('/a/b', 'PurePosixPath')],
  ['datetime.datetime(2024, 2, 29, 13, 5, tzinfo=datetime.timezone.utc)', new Date('2024-02-29T13:05:00Z')],
]

/** What arrives as its nearest kin, from which it cannot return. */
const oneWay: readonly [expression: string, here: unknown][] = [
  ['1.0', 1],
  ['bytearray(b"\\x00\\xff")', new Uint8Array([0, 255])],
  ['type("Sub", (int,), {})(7)', 7],
  ['type("Sub", (dict,), {})(a=1)', { a: 1 }],
  ['collections.namedtuple("Point", "x y")(1, 2)', new Tuple(1, 2)],
  ['collections.defaultdict(list, {u"a": [1]})', { a: [1] }],
  ['memoryview(b"ab")', new Uint8Array([97, 98])],
  ['array.array("d", [1.5, 2])', new Float64Array([1.5, 2])],
]

/** What JavaScript makes, and what Python sees of it. */
const sent: readonly [here: unknown, repr: string][] = [
  [undefined, 'None'],
  [float(1), '1.0'],
  [1, '1'],
  [5n, '5'],
  [-0, '-0.0'],
  [new Map([[1, 2]]), '{1: 2}'],
  [{ a: undefined }, "{'a': None}"],
  [new Tuple<unknown>(float(2), 2), '(2.0, 2)'],
]

const prelude = `
import array, collections, datetime, decimal, fractions, sys, uuid
PY2 = sys.version_info[0] == 2
if not PY2:
    import pathlib

def kind(value):
    return 'int' if type(value).__name__ == 'long' else type(value).__name__

def same(a, b):
    if PY2 and kind(a) in ('str', 'Bytes'):
        return isinstance(b, bytes) and a == b
    if kind(a) != kind(b):
        return False
    if isinstance(a, (float, complex, collections.deque)):
        return repr(a) == repr(b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a == b and same(sorted(a.items(), key=repr), sorted(b.items(), key=repr))
    if isinstance(a, (set, frozenset)):
        return a == b and same(sorted(a, key=repr), sorted(b, key=repr))
    if PY2 and isinstance(a, xrange):
        return list(a) == list(b)
    return a == b

for what, item in channel:
    if what == 'repr':
        channel.send(repr(item).replace('u"', '"').replace("u'", "'"))
        continue
    value = eval(item)
    try:
        channel.send(value)
    except Exception as e:
        channel.send('%s: %s' % (type(e).__name__, e))
    back = channel.receive()[1]
    channel.send(True if same(value, back) else '%s %r returned as %s %r' % (kind(value), value, kind(back), back))
`

export function valueSuite(subject: Subject): void {
  let channel: Channel
  beforeAll(() => {
    channel = subject.gateway.remoteExec(prelude)
  })
  afterAll(() => channel.close())

  const roundTrip = async (expression: string): Promise<[here: unknown, returned: unknown]> => {
    await channel.send(['eval', expression])
    const here = await channel.receive()
    await channel.send(['back', here])
    return [here, await channel.receive()]
  }
  const rows = subject.isPython2 ? both : [...both, ...python3]

  it.each(rows)('%s arrives as what it is and returns unchanged', async (expression, expected) => {
    const [here, returned] = await roundTrip(expression)
    expect(here).toStrictEqual(expected)
    expect(returned).toBe(true)
  })

  it.each(oneWay)('%s arrives as its nearest kin', async (expression, expected) => {
    const [here] = await roundTrip(expression)
    expect(here).toStrictEqual(expected)
  })

  it.each(sent)('sends %o as %s', async (here, repr) => {
    await channel.send(['repr', here])
    expect(await channel.receive()).toBe(repr)
  })

  it('keeps what is shared inside of an item shared, and a cycle a cycle', async () => {
    const pair = subject.gateway.remoteExec<unknown[][]>('a = []; a.append(a); b = [1]; channel.send([a, b, b])')
    const [a, b, again] = await pair.receive()
    expect(a?.[0]).toBe(a)
    expect(b).toBe(again)
  })
}
