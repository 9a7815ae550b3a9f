/**
 * The value types that are neither a scalar nor a plain container: a row each, with its name on the
 * wire (PROTOCOL.md §6), what it is made of and how it is made again. Twin: src/protocol/values.py.
 */

import { LoadError } from '../../errors.js'
import { brandOf, isDate } from '../realms.js'
import { NaiveDateTime, PlainDate, PlainTime, TimeDelta } from '../times.js'
import {
  Complex,
  Decimal,
  Deque,
  Float,
  Fraction,
  NdArray,
  OrderedDict,
  PythonPath,
  Range,
  Tuple,
  UUID,
} from '../values.js'
import type { Arguments } from './arguments.js'
import { CLASH, type Clashes } from './clashes.js'
import { addKey, ONE_KEY } from './containers.js'
import { dumpDate, dumpTime, loadDate, loadTime } from './instants.js'
import { bytesOf, ndArray } from './number-arrays.js'

/** How a class of values is written and read. */
export interface ValueType {
  /** In the module `_tendril.values`. */
  readonly name: string
  /** Undefined when the value has no form on the wire, such as an invalid date. */
  readonly dump: (value: object) => readonly unknown[] | undefined
  readonly load: (args: Arguments, clashes: Clashes) => unknown
  /** How members follow the arguments, for containers. */
  readonly members?: 'list' | 'dict'
}

const byClass = new Map<object, ValueType>()
const byBrand = new Map<string, ValueType>()
const byName = new Map<string, ValueType>()

/** The row for an object, by its class or the nearest one that it extends. */
export function valueTypeOf(value: object): ValueType | undefined {
  for (
    let at: unknown = Object.getPrototypeOf(value);
    typeof at === 'object' && at !== null;
    at = Object.getPrototypeOf(at)
  ) {
    const found = byClass.get(at) ?? byBrand.get(brandOf(at) ?? '')
    if (found !== undefined) return found
  }
  return isDate(value) ? byClass.get(Date.prototype) : undefined
}

export function valueTypeNamed(name: string): ValueType | undefined {
  return byName.get(name)
}

function row<T extends object>(
  name: string,
  type: abstract new (...args: never[]) => T,
  dump: (value: T) => readonly unknown[] | undefined,
  load: (args: Arguments, clashes: Clashes) => T,
  members?: 'list' | 'dict',
): void {
  const dumpAny = dump as (value: object) => readonly unknown[] | undefined // it is found by its class, of whatever realm that is
  const valueType: ValueType = { name, dump: dumpAny, load, ...(members && { members }) }
  byClass.set(type.prototype, valueType)
  const brand: string | undefined = brandOf(type.prototype)
  if (brand !== undefined) byBrand.set(brand, valueType)
  byName.set(name, valueType)
}

row('aware_datetime', Date, dumpDate, loadDate)
row(
  'naive_datetime',
  NaiveDateTime,
  (v) => [v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.fold],
  (a) => {
    const details = { microsecond: a.integer(6), fold: a.fold(7) }
    const time = new PlainTime(a.integer(3), a.integer(4), a.integer(5), details)
    return new NaiveDateTime(new PlainDate(a.integer(0), a.integer(1), a.integer(2)), time)
  },
)
row(
  'date',
  PlainDate,
  (v) => [v.year, v.month, v.day],
  (a) => new PlainDate(a.integer(0), a.integer(1), a.integer(2)),
)
row('time', PlainTime, dumpTime, loadTime)
row(
  'timedelta',
  TimeDelta,
  (v) => [v.days, v.seconds, v.microseconds],
  (a) => new TimeDelta(a.integer(0), a.integer(1), a.integer(2)),
)
row(
  'decimal',
  Decimal,
  (v) => [v.text],
  (a) => new Decimal(a.text(0)),
)
row(
  'fraction',
  Fraction,
  (v) => [v.numerator, v.denominator],
  (a) => new Fraction(a.bigint(0), a.bigint(1)),
)
row(
  'complex_number',
  Complex,
  (v) => [new Float(v.real), new Float(v.imag)],
  (a) => new Complex(a.float(0), a.float(1)),
)
row(
  'uuid',
  UUID,
  (v) => [v.text],
  (a) => new UUID(a.text(0)),
)
row(
  'path',
  PythonPath,
  (v) => [v.kind, v.text],
  (a) => new PythonPath(a.text(1), a.text(0)),
)
row(
  'int_range',
  Range,
  (v) => [v.start, v.stop, v.step],
  (a) => new Range(small(a, 0), small(a, 1), small(a, 2)),
)
row(
  'ndarray',
  NdArray,
  (v) => [v.dtype, new Tuple(...v.shape), bytesOf(v.data)],
  (a) => ndArray(a.text(0), a.tuple(1).map(toSize), a.bytes(2)),
)
row(
  'ordered_dict',
  OrderedDict,
  () => [],
  (a, clashes) => orderedDict(a.items(0).map(toEntry), clashes),
  'dict',
)
row(
  'deque',
  Deque,
  (v) => [v.maxlen],
  (a) => new Deque(a.items(1), a.optional(0, a.integer)),
  'list',
)

function small(args: Arguments, index: number): number | bigint {
  return typeof args.any(index) === 'bigint' ? args.bigint(index) : args.integer(index)
}

function toSize(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new LoadError('cannot load an item: the shape of an array is not numbers')
  }
  return value
}

function orderedDict(entries: readonly (readonly [unknown, unknown])[], clashes: Clashes): OrderedDict {
  const keys = entries.map(([key]) => key)
  for (const key of keys) addKey(key)
  const dict = new OrderedDict()
  if (clashes.add(dict, keys, 0, keys.length)) throw new LoadError(`cannot load an item: ${CLASH}`)
  for (const [key, value] of entries) dict.set(key, value)
  if (dict.size !== entries.length) throw new LoadError(`cannot load an item: ${ONE_KEY}`)
  return dict
}

function toEntry(value: unknown): [unknown, unknown] {
  if (!(value instanceof Tuple) || value.length !== 2) throw new LoadError('cannot load an item: an entry is no pair')
  return [value[0], value[1]]
}
