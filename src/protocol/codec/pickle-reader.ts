/**
 * Reads pickles as data: bytes in, plain values out, or a `LoadError`. A row below for every opcode
 * that items use (PROTOCOL.md §6); what an opcode does is `machine.ts`, what its operand is `byte-reader.ts`.
 */

import { LoadError } from '../../errors.js'
import { asError } from '../../thrown.js'
import { Cost, INT_BYTE_COST, TEXT_SHARE } from './budget.js'
import { ByteReader } from './byte-reader.js'
import { Machine, type ReaderOptions } from './machine.js'
import * as op from './opcodes.js'

const HIGHEST_PROTOCOL = 5
// A mask: so many opcodes go between two looks at the memory, which a few megabytes more do not matter to.
const CHECKED = 0x3fff
// A text, or an int, as long as this is looked at before it is made.
const LONG_TEXT = 64 * 1024
const LONG_INT = 32
const NUMBER_BYTES = 6
// Of what an error says; what it quotes may be as long as the payload.
const MAX_MESSAGE = 1000

/**
 * The value of one pickle.
 *
 * @throws {@link LoadError} for anything that is not one whole pickle of known names, within the limits.
 */
export function readPickle(payload: Uint8Array, options: ReaderOptions): unknown {
  const input = new ByteReader(payload)
  const machine = new Machine(options, (detail) => input.error(detail))
  try {
    return read(input, machine, options)
  } catch (error) {
    const message = error instanceof LoadError ? error.message : `cannot load an item: ${asError(error).message}`
    throw new LoadError(message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)} …`, {
      cause: error instanceof LoadError ? error.cause : error,
      firstMember: machine.firstMember,
      at: input.at,
    })
  }
}

function read(input: ByteReader, machine: Machine, options: ReaderOptions): unknown {
  for (let count = 1; ; count++) {
    if ((count & CHECKED) === 0) machine.check(count, input.textCost)
    const code = input.uint8()
    // What items are mostly made of comes first, and in one function: this loop runs for every value of every item.
    // biome-ignore format: a row for each opcode
    switch (code) {
      case op.SHORT_BINUNICODE: machine.push(input.text(input.uint8())); break
      case op.BINGET: machine.get(input.uint8()); break
      case op.BININT1: machine.push(input.uint8()); break
      case op.BINFLOAT: machine.push(input.float64()); break
      case op.MEMOIZE: machine.memoize(); break
      case op.BINUNICODE: text(input.uint32(), input, machine); break
      case op.BINPUT: machine.memoize(input.uint8()); break
      case op.LONG_BINPUT: machine.memoize(input.uint32()); break
      case op.LONG_BINGET: machine.get(input.uint32()); break
      case op.BININT2: machine.push(input.uint16()); break
      case op.BININT: machine.push(input.int32()); break
      case op.NONE: machine.push(null); break
      case op.NEWTRUE: machine.push(true); break
      case op.NEWFALSE: machine.push(false); break
      case op.MARK: machine.mark(); break
      case op.EMPTY_DICT: machine.pushContainer({}, Cost.DICT); break
      case op.SETITEMS: machine.setItems(machine.popMark(), input.hasTwins); break
      case op.EMPTY_LIST: machine.pushContainer([], Cost.LIST); break
      case op.APPENDS: machine.append(machine.popMark()); break
      case op.STOP: return finish(input, machine)
      case op.FRAME: frame(input, options); break
      default: if (!scalar(code, input, machine) && !container(code, input, machine)) special(code, input, machine)
    }
  }
}

// biome-ignore format: a row for each opcode
function scalar(code: number, input: ByteReader, machine: Machine): boolean {
  switch (code) {
    case op.LONG1: long(input.uint8(), input, machine); return true
    case op.LONG4: long(input.uint32(), input, machine); return true
    case op.INT: decimal(input, machine); return true
    case op.LONG: decimal(input, machine); return true
    case op.BINUNICODE8: text(input.uint64(), input, machine); return true
    case op.SHORT_BINSTRING: textOrBytes(input.uint8(), input, machine); return true
    case op.BINSTRING: textOrBytes(input.uint32(), input, machine); return true
    case op.SHORT_BINBYTES: bytes(input.uint8(), input, machine); return true
    case op.BINBYTES: bytes(input.uint32(), input, machine); return true
    case op.BINBYTES8: bytes(input.uint64(), input, machine); return true
    case op.BYTEARRAY8: bytes(input.uint64(), input, machine); return true
    default: return false
  }
}

// biome-ignore format: a row for each opcode
function container(code: number, input: ByteReader, machine: Machine): boolean {
  switch (code) {
    case op.APPEND: machine.append(machine.size - 1); return true
    case op.SETITEM: machine.setItems(machine.size - 2, input.hasTwins); return true
    case op.EMPTY_TUPLE: machine.tuple(machine.size); return true
    case op.TUPLE1: machine.tuple(machine.size - 1); return true
    case op.TUPLE2: machine.tuple(machine.size - 2); return true
    case op.TUPLE3: machine.tuple(machine.size - 3); return true
    case op.TUPLE: machine.tuple(machine.popMark()); return true
    case op.EMPTY_SET: machine.pushContainer(new Set(), Cost.SET); return true
    case op.ADDITEMS: machine.addItems(machine.popMark()); return true
    case op.FROZENSET: machine.frozenSet(machine.popMark()); return true
    default: return false
  }
}

// biome-ignore format: a row for each opcode
function special(code: number, input: ByteReader, machine: Machine): void {
  switch (code) {
    case op.PROTO: if (input.uint8() > HIGHEST_PROTOCOL) throw input.error('its protocol is newer than 5'); break
    case op.POP: machine.drop(); break
    case op.POP_MARK: machine.dropToMark(); break
    case op.DUP: machine.pushAgain(machine.peek()); break
    case op.GLOBAL: machine.push(machine.find(input.line(), input.line())); break
    case op.STACK_GLOBAL: machine.stackGlobal(); break
    case op.REDUCE: machine.reduce(); break
    case op.BINPERSID: machine.persistentId(); break
    default: throw input.error(`opcode 0x${code.toString(16)} is not one that items use`)
  }
}

function text(size: number, input: ByteReader, machine: Machine): void {
  if (size > LONG_TEXT) machine.check(0, input.textCost + size / TEXT_SHARE)
  machine.push(input.text(size))
}

function textOrBytes(size: number, input: ByteReader, machine: Machine): void {
  if (size > 0 && input.isNoText) return bytes(size, input, machine)
  if (size > LONG_TEXT) machine.check(0, input.textCost + size / TEXT_SHARE)
  const value = input.textOrBytes(size)
  if (typeof value !== 'string') machine.spend(Cost.BYTES)
  machine.push(value)
}

function bytes(size: number, input: ByteReader, machine: Machine): void {
  machine.spend(Cost.BYTES)
  machine.push(input.bytes(size))
}

function long(size: number, input: ByteReader, machine: Machine): void {
  if (size > NUMBER_BYTES) machine.spend(Cost.BIGINT + size * (size > LONG_INT ? INT_BYTE_COST : 1))
  if (size > LONG_INT) machine.checkMemory()
  machine.push(input.long(size))
}

function decimal(input: ByteReader, machine: Machine): void {
  const before = input.left
  const value = input.decimal()
  const size = before - input.left
  if (typeof value === 'bigint') machine.spend(Cost.BIGINT + size * (size > LONG_INT ? INT_BYTE_COST : 1))
  if (size > LONG_INT) machine.checkMemory()
  machine.push(value)
}

function frame(input: ByteReader, { isCut = false }: ReaderOptions): void {
  const size = input.uint64()
  if (!isCut) input.require(size)
}

function finish(input: ByteReader, machine: Machine): unknown {
  machine.check(0, input.textCost)
  const value = machine.finish()
  if (!input.isAtEnd) throw input.error('bytes follow its end')
  return value
}
