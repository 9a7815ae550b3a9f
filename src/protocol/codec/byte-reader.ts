/** Reads the operands of pickle opcodes. Every length is held against the bytes that are left before anything is made of it. */

import { LoadError } from '../../errors.js'
import { LONG_TEXT_COST, TEXT_SHARE } from './budget.js'
import { decodeText } from './text.js'

/** Below this, bytes are copied: a view would keep the whole payload alive. */
const VIEWED_BYTES = 64 * 1024
/** Python's own limit for ints as text; longer ones come in binary. */
const MAX_DIGITS = 4300
/** V8's bounds, which nothing of the language tells. */
const MAX_TEXT = 2 ** 29 - 24
/** Longer ones would take seconds to make: 40 million decimal digits. */
const MAX_BIGINT_BYTES = 2 ** 24

/** A line is a name, or a number. */
const MAX_LINE_BYTES = 64 * 1024
/** Shorter texts are made as fast as anything. */
const SHORT_TEXT = 40

const DIGITS_BYTES = 4096
/** The two digits of each byte, and those of a piece of a long int: both in one number. */
const digitsOf = Uint16Array.from({ length: 256 }, (_, byte) => {
  const digits = byte.toString(16).padStart(2, '0')
  return new Uint16Array(Uint8Array.of(digits.charCodeAt(0), digits.charCodeAt(1)).buffer)[0] ?? 0
})
const hexDigits = new Uint16Array(DIGITS_BYTES)
const hexCodes = new Uint8Array(hexDigits.buffer)
/** Half of a character beyond 16 bits: Python may hold both halves as two characters, and Python 2 writes them as one. */
const SURROGATE = /[\ud800-\udfff]/
const hexText = new TextDecoder('utf-8')

/** A position in a payload. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  #hasTwins = false
  #textCost = 0

  constructor(payload: Uint8Array) {
    const { buffer, byteOffset, byteLength } = payload
    // Not the payload itself: subclasses (Node's Buffer) slice without copying.
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength)
    this.#view = new DataView(buffer, byteOffset, byteLength)
  }

  get size(): number {
    return this.#bytes.length
  }

  get at(): number {
    return this.#at
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

  /** What the texts took that were read, as the budget has it. */
  get textCost(): number {
    return this.#textCost
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  text(size: number): string {
    const start = this.#skip(size)
    if (size > SHORT_TEXT) this.#textCost += LONG_TEXT_COST + size / TEXT_SHARE
    if (size > MAX_TEXT) this.#checkLength(start)
    const text = decodeText(this.#bytes, start, this.#at)
    if (text === undefined) throw this.error('its text is not UTF-8')
    if (text.length !== size && !this.#hasTwins) this.#hasTwins = SURROGATE.test(text)
    return text
  }

  /** Whether two texts that differ there may be one here: some have surrogates (SURROGATE), or are Python 2's `str` beyond ASCII. */
  get hasTwins(): boolean {
    return this.#hasTwins
  }

  /** Fails for a text that has more code units than one can have here. */
  #checkLength(start: number): void {
    let length = 0
    for (let at = start; at < this.#at; at++) {
      const byte = this.#bytes[at] ?? 0
      if (byte >> 6 !== 2) length += byte < 0xf0 ? 1 : 2 // not one that continues a character
    }
    if (length > MAX_TEXT)
      throw this.error(`its text of ${length} characters is longer than JavaScript's longest, ${MAX_TEXT}`)
  }

  /** Whether no text begins with what comes next: a payload, and much else that is bytes. */
  get isNoText(): boolean {
    return ((this.#bytes[this.#at] ?? 0) & 0xc0) === 0x80
  }

  /** Python 2's `str`, which is both. */
  textOrBytes(size: number): string | Uint8Array {
    const start = this.#skip(size)
    if (size > SHORT_TEXT) this.#textCost += LONG_TEXT_COST + size / TEXT_SHARE
    if (size > MAX_TEXT) return this.#bytes.slice(start, this.#at)
    const text = decodeText(this.#bytes, start, this.#at)
    if (text !== undefined && text.length !== size) this.#hasTwins = true
    return text ?? this.#bytes.slice(start, this.#at)
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

  /** By pieces of text: one for each byte of millions would take all memory. */
  #bigLong(start: number): bigint {
    const size = this.#at - start
    if (size > MAX_BIGINT_BYTES)
      throw this.error(`its int of ${size} bytes is longer than ${MAX_BIGINT_BYTES}, the most that is read`)
    let digits = '0x'
    for (let end = this.#at; end > start; end -= DIGITS_BYTES) {
      let length = 0
      for (let at = end - 1; at >= Math.max(start, end - DIGITS_BYTES); at--)
        hexDigits[length++] = digitsOf[this.#bytes[at] ?? 0] ?? 0
      digits += hexText.decode(hexCodes.subarray(0, 2 * length))
    }
    return BigInt.asIntN(size * 8, BigInt(digits))
  }

  /** A line of digits, as Python 2 writes ints of 33 to 64 bits. */
  decimal(): number | bigint {
    const text = this.line()
    if (!/^-?\d+L?$/.test(text) || text.length > MAX_DIGITS) throw this.error('a number is not digits')
    return safeNumber(BigInt(text.replace('L', '')))
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0 || end - this.#at > MAX_LINE_BYTES) throw this.error('a line does not end')
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
