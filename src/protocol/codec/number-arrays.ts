/** Typed arrays on the wire: a letter of Python's `array` module, and the elements, little-endian as nearly every machine has them. */

import { LoadError } from '../../errors.js'
import { NdArray, type TypedArray } from '../values.js'

interface ArrayClass {
  readonly name: string
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray
}

// Sizes are fixed on the wire; Python looks for the letter that has this size on its machine. B is the
// clamped array: a Uint8Array is bytes.
const classes = new Map<string, ArrayClass>([
  ['b', Int8Array],
  ['B', Uint8ClampedArray],
  ['h', Int16Array],
  ['H', Uint16Array],
  ['i', Int32Array],
  ['I', Uint32Array],
  ['q', BigInt64Array],
  ['Q', BigUint64Array],
  ['f', Float32Array],
  ['d', Float64Array],
])
const letters = new Map([...classes].map(([letter, type]) => [type.name, letter]))

const dtypes = new Map<string, ArrayClass>([
  ['|i1', Int8Array],
  ['|u1', Uint8Array],
  ['<i2', Int16Array],
  ['<u2', Uint16Array],
  ['<i4', Int32Array],
  ['<u4', Uint32Array],
  ['<i8', BigInt64Array],
  ['<u8', BigUint64Array],
  ['<f4', Float32Array],
  ['<f8', Float64Array],
])

/** The letter of a typed array; undefined for anything else, and for one that Python has no letter for. */
export function letterOf(value: object): string | undefined {
  return ArrayBuffer.isView(value) ? letters.get(tagOf(value)) : undefined
}

/** The name of the class of a view, of whatever realm it is. */
export function tagOf(view: ArrayBufferView): string {
  return String(Reflect.get(view, Symbol.toStringTag))
}

/** The bytes under a view, not copied. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

export function numberArray(letter: string, bytes: Uint8Array): TypedArray {
  const type = classes.get(letter)
  if (type === undefined) throw new LoadError(`cannot load an item: array(${JSON.stringify(letter)}) has no wire type`)
  return view(type, bytes)
}

export function ndArray(dtype: string, shape: readonly number[], bytes: Uint8Array): NdArray {
  return new NdArray(view(dtypes.get(dtype) ?? Uint8Array, bytes), shape, dtype)
}

function view(type: ArrayClass, bytes: Uint8Array): TypedArray {
  const size = type.BYTES_PER_ELEMENT
  if (bytes.length % size !== 0)
    throw new LoadError(`cannot load an item: ${bytes.length} bytes are no array of ${type.name}`)
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : bytes.slice()
  return new type(buffer, byteOffset, length / size)
}
