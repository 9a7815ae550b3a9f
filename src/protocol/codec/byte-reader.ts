/** Reads the operands of pickle opcodes. Every length is held against the bytes that are left before anything is made of it. */

import { LoadError } from '../../errors.js'
import { decodeText } from './text.js'

/** Below this, bytes are copied: a view would keep the whole payload alive. */
const VIEWED_BYTES = 64 * 1024
/** Python's own limit for ints as text; longer ones come in binary. */
const MAX_DIGITS = 4300

/** A position in a payload. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(payload: Uint8Array) {
    const { buffer, byteOffset, byteLength } = payload
    // Not the payload itself: subclasses (Node's Buffer) slice without copying.
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength)
    this.#view = new DataView(buffer, byteOffset, byteLength)
  }

  get size(): number {
    return this.#bytes.length
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  error(detail: string): LoadError {
    return new LoadError(`cannot load an item: ${detail} (at byte ${this.#at} of ${this.#bytes.length})`)
  }

  /** Fails unless that many bytes follow. */
  require(size: number): void {
    if (size > this.#bytes.length - this.#at) throw this.error(`it ends before the ${size} bytes it promises`)
  }

  uint8(): number {
    const value = this.#bytes[this.#at++]
    if (value === undefined) throw this.error('it ends too early')
    return value
  }

  uint16(): number {
    return this.#view.getUint16(this.#skip(2), true)
  }

  uint32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  int32(): number {
    return this.#view.getInt32(this.#skip(4), true)
  }

  /** Beyond 2^53 it is not exact, and beyond any payload anyway. */
  uint64(): number {
    const at = this.#skip(8)
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000
  }

  float64(): number {
    return this.#view.getFloat64(this.#skip(8))
  }

  text(size: number): string {
    const start = this.#skip(size)
    const text = decodeText(this.#bytes, start, this.#at)
    if (text === undefined) throw this.error('its text is not UTF-8')
    return text
  }

  /** Python 2's `str`, which is both. */
  textOrBytes(size: number): string | Uint8Array {
    const start = this.#skip(size)
    return decodeText(this.#bytes, start, this.#at) ?? this.#bytes.slice(start, this.#at)
  }

  /** A view when it keeps not much more than itself alive, else a copy. */
  bytes(size: number): Uint8Array {
    const start = this.#skip(size)
    const isView = size >= VIEWED_BYTES && size * 2 >= this.#bytes.buffer.byteLength
    return isView ? this.#bytes.subarray(start, this.#at) : this.#bytes.slice(start, this.#at)
  }

  /** Little-endian two's complement of any size. */
  long(size: number): number | bigint {
    const start = this.#skip(size)
    if (size <= 6) return this.#shortLong(start, size)
    return safeNumber(size === 8 ? this.#view.getBigInt64(start, true) : this.#bigLong(start))
  }

  #shortLong(start: number, size: number): number {
    let value = 0
    for (let at = start + size - 1; at >= start; at--) value = value * 256 + (this.#bytes[at] ?? 0)
    const isNegative = ((this.#bytes[start + size - 1] ?? 0) & 0x80) !== 0 && size > 0
    return isNegative ? value - 2 ** (8 * size) : value
  }

  #bigLong(start: number): bigint {
    const digits: string[] = []
    for (let at = this.#at - 1; at >= start; at--) digits.push((this.#bytes[at] ?? 0).toString(16).padStart(2, '0'))
    return BigInt.asIntN(digits.length * 8, BigInt(`0x${digits.join('')}`))
  }

  /** A line of digits, as Python 2 writes ints of 33 to 64 bits. */
  decimal(): number | bigint {
    const text = this.line()
    if (!/^-?\d+L?$/.test(text) || text.length > MAX_DIGITS) throw this.error('a number is not digits')
    return safeNumber(BigInt(text.replace('L', '')))
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.error('a line does not end')
    const text = this.text(end - this.#at)
    this.#at = end + 1
    return text
  }

  #skip(size: number): number {
    const start = this.#at
    if (size > this.#bytes.length - start) throw this.error(`it ends before the ${size} bytes it promises`)
    this.#at = start + size
    return start
  }
}

function safeNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
