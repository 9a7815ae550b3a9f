/**
 * Writes pickle opcodes into a buffer that grows. It knows bytes and opcodes, nothing of the values
 * that they make: `value-writer.ts` does. Two dialects: portable (protocol 2, which every Python
 * reads) and framed (protocol 4 in one frame, which Python's C unpickler reads three times as fast).
 */

import * as op from './opcodes.js'
import { encodeText } from './text.js'

/** From here on bytes are handed to the transport as they are, never copied. */
const REFERENCED_BYTES = 64 * 1024
const FRAME_HEADER_BYTES = 9
/** Nearly every item fits: only larger ones cost an allocation of their own. */
const SCRATCH_BYTES = 16 * 1024
let scratch: Uint8Array | undefined

interface Insertion {
  readonly at: number
  readonly bytes: Uint8Array
}

/** One pickle being written; `finish` or `release` ends it. */
export class PickleWriter {
  readonly isPortable: boolean
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  #frameStart = 0
  #memoized = 0
  readonly #insertions: Insertion[] = []
  readonly #globals = new Map<string, number>()

  constructor(protocol: number) {
    this.isPortable = protocol < 4
    this.#bytes = scratch ?? new Uint8Array(SCRATCH_BYTES)
    scratch = undefined // a getter of the value may encode another one while this one is being written
    this.#view = new DataView(this.#bytes.buffer)
    this.#bytes[0] = op.PROTO
    this.#bytes[1] = this.isPortable ? 2 : 4
    this.#length = 2
    this.#startFrame()
  }

  /** The pickle, in parts that are to be sent one after the other. */
  finish(): Uint8Array[] {
    this.op(op.STOP)
    this.#endFrame()
    const parts: Uint8Array[] = []
    let start = 0
    for (const { at, bytes } of this.#insertions) {
      parts.push(this.#part(start, at), bytes)
      start = at
    }
    parts.push(this.#part(start, this.#length))
    this.release()
    return parts
  }

  /** Gives the shared buffer back; also after a value that could not be written. */
  release(): void {
    if (this.#bytes.length === SCRATCH_BYTES) scratch = this.#bytes
  }

  op(code: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = code
  }

  /** An integer that a double holds exactly. */
  integer(value: number): void {
    if ((value | 0) !== value) return this.#wideInteger(value)
    this.#reserve(5)
    if (value >= 0 && value < 0x100) {
      this.#bytes[this.#length++] = op.BININT1
      this.#bytes[this.#length++] = value
    } else if (value >= 0 && value < 0x10000) {
      this.#bytes[this.#length++] = op.BININT2
      this.#uint16(value)
    } else {
      this.#bytes[this.#length++] = op.BININT
      this.#view.setInt32(this.#length, value, true)
      this.#length += 4
    }
  }

  /** 33 to 54 bits: timestamps and the like, for which going through a bigint would cost ten times as much. */
  #wideInteger(value: number): void {
    this.#reserve(10)
    this.#bytes[this.#length++] = op.LONG1
    this.#bytes[this.#length++] = 8
    this.#view.setUint32(this.#length, value >>> 0, true)
    this.#view.setInt32(this.#length + 4, Math.floor(value / 0x1_0000_0000), true)
    this.#length += 8
  }

  bigint(value: bigint): void {
    if (BigInt.asIntN(32, value) === value) return this.integer(Number(value))
    const bytes = twosComplement(value)
    this.#sized(bytes.length, op.LONG1, op.LONG4)
    this.#raw(bytes)
  }

  float(value: number): void {
    this.#reserve(9)
    this.#bytes[this.#length++] = op.BINFLOAT
    this.#view.setFloat64(this.#length, value)
    this.#length += 8
  }

  text(text: string): void {
    const header = this.isPortable || text.length > 0xff ? 5 : 2
    this.#reserve(5 + text.length * 3)
    const start = this.#length + header
    const end = encodeText(text, this.#bytes, start)
    const size = end - start
    if (header === 2 && size > 0xff) return this.#longText(start, end)
    if (header === 2) {
      this.#bytes[this.#length] = op.SHORT_BINUNICODE
      this.#bytes[this.#length + 1] = size
    } else {
      this.#bytes[this.#length] = op.BINUNICODE
      this.#view.setUint32(this.#length + 1, size, true)
    }
    this.#length = end
  }

  /** Bytes, with their memo entry: what protocol 2 has no opcode for is a call of `_codecs.encode`, as Python writes it. */
  bytes(bytes: Uint8Array): void {
    if (this.isPortable) {
      this.global('_codecs', 'encode')
      this.#latin1(bytes)
      this.text('latin1')
      this.op(op.TUPLE2)
      this.op(op.REDUCE)
    } else if (bytes.length >= REFERENCED_BYTES) {
      this.#insert(bytes)
    } else {
      this.#sized(bytes.length, op.SHORT_BINBYTES, op.BINBYTES)
      this.#raw(bytes)
    }
  }

  /** The text with a character for each byte. It is not made: that takes twice as long, and V8 has none of 512 MiB. */
  #latin1(bytes: Uint8Array): void {
    let size = bytes.length
    for (let i = 0; i < bytes.length; i++) size += (bytes[i] ?? 0) >> 7
    this.#reserve(5 + size)
    const target = this.#bytes
    target[this.#length] = op.BINUNICODE
    this.#view.setUint32(this.#length + 1, size, true)
    let at = this.#length + 5
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0
      if (byte < 0x80) {
        target[at++] = byte
      } else {
        target[at++] = 0xc0 | (byte >> 6)
        target[at++] = 0x80 | (byte & 0x3f)
      }
    }
    this.#length = at
  }

  /** The thing that `module.name` means to the reader; written in full only once. */
  global(module: string, name: string): void {
    const key = `${module}\n${name}\n`
    const known = this.#globals.get(key)
    if (known !== undefined) return this.get(known)
    this.#reserve(1 + key.length * 3)
    this.#bytes[this.#length++] = op.GLOBAL
    this.#length = encodeText(key, this.#bytes, this.#length)
    this.#globals.set(key, this.memoize())
  }

  /** Lets {@link get} repeat what was written last; returns its number. */
  memoize(): number {
    const index = this.#memoized++
    if (this.isPortable) this.#sized(index, op.BINPUT, op.LONG_BINPUT)
    else this.op(op.MEMOIZE)
    return index
  }

  get(index: number): void {
    this.#sized(index, op.BINGET, op.LONG_BINGET)
  }

  /** An opcode with a number of one byte, or its twin with one of four. */
  #sized(size: number, short: number, long: number): void {
    this.#reserve(5)
    if (size <= 0xff) {
      this.#bytes[this.#length++] = short
      this.#bytes[this.#length++] = size
    } else {
      this.#bytes[this.#length++] = long
      this.#view.setUint32(this.#length, size, true)
      this.#length += 4
    }
  }

  #uint16(value: number): void {
    this.#view.setUint16(this.#length, value, true)
    this.#length += 2
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** At most 255 characters that turned out to be more than 255 bytes: moves them behind a longer header. */
  #longText(start: number, end: number): void {
    this.#bytes.copyWithin(start + 3, start, end)
    this.#bytes[this.#length] = op.BINUNICODE
    this.#view.setUint32(this.#length + 1, end - start, true)
    this.#length = end + 3
  }

  #insert(bytes: Uint8Array): void {
    this.#endFrame()
    this.#reserve(9)
    this.#bytes[this.#length] = op.BINBYTES8
    this.#view.setBigUint64(this.#length + 1, BigInt(bytes.length), true)
    this.#length += 9
    this.#insertions.push({ at: this.#length, bytes })
    this.#startFrame()
  }

  #startFrame(): void {
    if (this.isPortable) return
    this.#reserve(FRAME_HEADER_BYTES)
    this.#bytes[this.#length] = op.FRAME
    this.#length += FRAME_HEADER_BYTES
    this.#frameStart = this.#length
  }

  #endFrame(): void {
    if (this.isPortable) return
    this.#view.setBigUint64(this.#frameStart - 8, BigInt(this.#length - this.#frameStart), true)
  }

  #part(start: number, end: number): Uint8Array {
    return this.#bytes.length === SCRATCH_BYTES ? this.#bytes.slice(start, end) : this.#bytes.subarray(start, end)
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return
    const factor = this.#bytes.length < 1024 * 1024 ? 4 : 2
    const grown = new Uint8Array(Math.max(this.#bytes.length * factor, this.#length + size))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.release()
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Little-endian two's complement, as short as it can be: the form of LONG1 and LONG4. */
function twosComplement(value: bigint): Uint8Array {
  const digits = (value < 0n ? -value - 1n : value).toString(16)
  const needsSignByte = digits.length % 2 === 0 && digits >= '8'
  const size = Math.ceil(digits.length / 2) + (needsSignByte ? 1 : 0)
  return littleEndian(BigInt.asUintN(size * 8, value), size)
}

function littleEndian(value: bigint, size: number): Uint8Array {
  const digits = value.toString(16).padStart(size * 2, '0')
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) {
    const at = digits.length - 2 * i
    bytes[i] = Number.parseInt(digits.slice(at - 2, at), 16)
  }
  return bytes
}
