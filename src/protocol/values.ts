/**
 * What Python has and JavaScript has not. Values of these classes arrive from Python and return
 * unchanged; they can be made here and sent as well. They are plain data: no arithmetic, no
 * conversions that lose. PROTOCOL.md §6 has their forms on the wire, `times.ts` the ones of time.
 */
import { brandValues } from './realms.js'

/** A number that is sent as a Python `float` even when it has no fraction; made by {@link float}. */
export class Float {
  readonly value: number

  constructor(value: number) {
    this.value = value
    Object.freeze(this)
  }

  valueOf(): number {
    return this.value
  }

  toString(): string {
    return String(this.value)
  }
}

/**
 * Sends a whole number as a Python `float`: `1` would arrive as `int`.
 *
 * @example
 * ```ts
 * await channel.send({ ratio: float(1) }) // {'ratio': 1.0}
 * ```
 */
export function float(value: number): Float {
  return new Float(value)
}

/**
 * A Python `tuple`: an array that returns as a tuple. What `map`, `slice` and the like make of it
 * are plain arrays.
 *
 * @example
 * ```ts
 * await channel.send(new Map([[new Tuple(1, 2), 'a']])) // {(1, 2): 'a'}
 * ```
 */
export class Tuple<T = unknown> extends Array<T> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  /** @param items - The members; a single number is a member too, not a length. */
  constructor(...items: T[]) {
    super()
    for (const item of items) this.push(item)
  }
}

/** A Python `frozenset`: a set that refuses to change, and that may be a key of a dict. */
export class FrozenSet<T = unknown> extends Set<T> {
  constructor(items: Iterable<T> = []) {
    super()
    for (const item of items) super.add(item)
  }

  override add(_item: T): this {
    throw new TypeError('a FrozenSet cannot change')
  }

  override delete(_item: T): boolean {
    throw new TypeError('a FrozenSet cannot change')
  }

  override clear(): void {
    throw new TypeError('a FrozenSet cannot change')
  }
}

/** A Python `collections.OrderedDict`: a map that returns as one. */
export class OrderedDict<K = unknown, V = unknown> extends Map<K, V> {}

/** A Python `collections.deque`: an array that returns as one. */
export class Deque<T = unknown> extends Array<T> {
  readonly #maxlen: number | null

  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  constructor(items: Iterable<T> = [], maxlen: number | null = null) {
    super()
    for (const item of items) this.push(item)
    this.#maxlen = maxlen
  }

  /** The length it is bounded to in Python, null when unbounded; nothing enforces it here. */
  get maxlen(): number | null {
    return this.#maxlen
  }
}

/** A Python `range`, or an `xrange` of Python 2. */
export class Range implements Iterable<number | bigint> {
  readonly start: number | bigint
  readonly stop: number | bigint
  readonly step: number | bigint

  /** @throws RangeError when the step is 0, as in Python. */
  constructor(start: number | bigint, stop: number | bigint, step: number | bigint = 1) {
    if (Number(step) === 0) throw new RangeError('the step of a range cannot be 0')
    this.start = start
    this.stop = stop
    this.step = step
    Object.freeze(this)
  }

  *[Symbol.iterator](): Iterator<number | bigint> {
    const [stop, step] = [BigInt(this.stop), BigInt(this.step)]
    for (let at = BigInt(this.start); step > 0n ? at < stop : at > stop; at += step) {
      const small = Number(at)
      yield Number.isSafeInteger(small) ? small : at
    }
  }

  toString(): string {
    return `range(${this.start}, ${this.stop}, ${this.step})`
  }
}

/** A Python `complex`. */
export class Complex {
  readonly real: number
  readonly imag: number

  constructor(real: number, imag: number) {
    this.real = real
    this.imag = imag
    Object.freeze(this)
  }

  toString(): string {
    const sign = this.imag < 0 || Object.is(this.imag, -0) ? '-' : '+'
    return `(${this.real}${sign}${Math.abs(this.imag)}j)`
  }
}

/** A Python `decimal.Decimal`: its exact text, trailing zeros, `NaN` and `Infinity` included. */
export class Decimal {
  readonly text: string

  constructor(text: string) {
    this.text = text
    Object.freeze(this)
  }

  toString(): string {
    return this.text
  }
}

/** A Python `fractions.Fraction`. */
export class Fraction {
  readonly numerator: bigint
  readonly denominator: bigint

  constructor(numerator: bigint | number, denominator: bigint | number = 1n) {
    this.numerator = BigInt(numerator)
    this.denominator = BigInt(denominator)
    Object.freeze(this)
  }

  toString(): string {
    return `${this.numerator}/${this.denominator}`
  }
}

/** A Python `uuid.UUID`. */
export class UUID {
  /** 36 characters, lower case. */
  readonly text: string

  constructor(text: string) {
    this.text = text
    Object.freeze(this)
  }

  toString(): string {
    return this.text
  }
}

/** A Python `pathlib` path. */
export class PythonPath {
  readonly text: string
  /** The class: `PosixPath`, `PurePosixPath`, `WindowsPath` or `PureWindowsPath`. */
  readonly kind: string

  constructor(text: string, kind = 'PurePosixPath') {
    this.text = text
    this.kind = kind
    Object.freeze(this)
  }

  toString(): string {
    return this.text
  }
}

/** The arrays of numbers that Python's `array.array` and numpy have too. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array

/** A numpy array that is more than one row of numbers, in C order. */
export class NdArray {
  /** The elements; raw bytes for a dtype that JavaScript has no array for. */
  readonly data: TypedArray
  readonly shape: readonly number[]
  /** numpy's name, little-endian: `<f8`, `|b1`, `<c16`. */
  readonly dtype: string

  /**
   * @param dtype - Derived from `data` when absent.
   * @throws TypeError when the shape asks for another number of bytes than there are.
   */
  constructor(data: TypedArray, shape: readonly number[], dtype: string = dtypeOf(data)) {
    const bytes = shape.reduce((product, size) => product * size, Number(/(?<!\d)\d+$/.exec(dtype)?.[0]))
    if (bytes !== data.byteLength) {
      throw new TypeError(
        `an array of shape (${shape.join(', ')}) and dtype ${dtype} takes ${bytes} bytes, not ${data.byteLength}`,
      )
    }
    this.data = data
    this.shape = Object.freeze([...shape])
    this.dtype = dtype
    Object.freeze(this)
  }

  toString(): string {
    return `NdArray(${this.shape.join('x')}, ${this.dtype})`
  }
}

function dtypeOf(data: TypedArray): string {
  const kind = /^(Big)?(Int|Float)/.exec(data.constructor.name)?.[2]
  const letter = kind === 'Float' ? 'f' : kind === 'Int' ? 'i' : 'u'
  return `${data.BYTES_PER_ELEMENT === 1 ? '|' : '<'}${letter}${data.BYTES_PER_ELEMENT}`
}

/**
 * A value that only JavaScript has (a URL, a RegExp, an Error, a registered class), as its superjson
 * document. Python holds it under the same name; here it shows only where no codec is set.
 */
export class JSValue {
  readonly document: string

  constructor(document: string) {
    this.document = document
    Object.freeze(this)
  }

  toString(): string {
    return this.document
  }
}

brandValues({
  Float,
  Tuple,
  FrozenSet,
  OrderedDict,
  Deque,
  Range,
  Complex,
  Decimal,
  Fraction,
  UUID,
  PythonPath,
  NdArray,
  JSValue,
})
