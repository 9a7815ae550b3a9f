/**
 * Reads pickles as data: bytes in, plain values out, or a `LoadError`. A row below for every opcode
 * that items use (PROTOCOL.md §6); what an opcode does is `machine.ts`, what its operand is `byte-reader.ts`.
 */

import { ByteReader } from './byte-reader.js'
import { Machine, type ReaderOptions } from './machine.js'
import * as op from './opcodes.js'

const HIGHEST_PROTOCOL = 5

/**
 * The value of one pickle.
 *
 * @throws {@link LoadError} for anything that is not one whole pickle of known names, within the limits.
 */
export function readPickle(payload: Uint8Array, options: ReaderOptions): unknown {
  const input = new ByteReader(payload)
  const machine = new Machine(options, input.size, (detail) => input.error(detail))
  for (;;) {
    const code = input.uint8()
    // What items are mostly made of comes first, and in one function: this loop runs for every value of every item.
    // biome-ignore format: a row for each opcode
    switch (code) {
      case op.SHORT_BINUNICODE: machine.push(input.text(input.uint8())); break
      case op.BINGET: machine.get(input.uint8()); break
      case op.BININT1: machine.push(input.uint8()); break
      case op.BINFLOAT: machine.push(input.float64()); break
      case op.MEMOIZE: machine.memoize(); break
      case op.BINUNICODE: machine.push(input.text(input.uint32())); break
      case op.BINPUT: machine.memoize(input.uint8()); break
      case op.LONG_BINPUT: machine.memoize(input.uint32()); break
      case op.LONG_BINGET: machine.get(input.uint32()); break
      case op.BININT2: machine.push(input.uint16()); break
      case op.BININT: machine.push(input.int32()); break
      case op.NONE: machine.push(null); break
      case op.NEWTRUE: machine.push(true); break
      case op.NEWFALSE: machine.push(false); break
      case op.MARK: machine.mark(); break
      case op.EMPTY_DICT: machine.pushContainer({}); break
      case op.SETITEMS: machine.setItems(machine.popMark()); break
      case op.EMPTY_LIST: machine.pushContainer([]); break
      case op.APPENDS: machine.append(machine.popMark()); break
      case op.STOP: return finish(input, machine)
      default: if (!scalar(code, input, machine) && !container(code, machine)) special(code, input, machine)
    }
  }
}

// biome-ignore format: a row for each opcode
function scalar(code: number, input: ByteReader, machine: Machine): boolean {
  switch (code) {
    case op.LONG1: machine.push(input.long(input.uint8())); return true
    case op.LONG4: machine.push(input.long(input.uint32())); return true
    case op.INT: machine.push(input.decimal()); return true
    case op.LONG: machine.push(input.decimal()); return true
    case op.BINUNICODE8: machine.push(input.text(input.uint64())); return true
    case op.SHORT_BINSTRING: machine.push(input.textOrBytes(input.uint8())); return true
    case op.BINSTRING: machine.push(input.textOrBytes(input.uint32())); return true
    case op.SHORT_BINBYTES: machine.push(input.bytes(input.uint8())); return true
    case op.BINBYTES: machine.push(input.bytes(input.uint32())); return true
    case op.BINBYTES8: machine.push(input.bytes(input.uint64())); return true
    case op.BYTEARRAY8: machine.push(input.bytes(input.uint64())); return true
    default: return false
  }
}

// biome-ignore format: a row for each opcode
function container(code: number, machine: Machine): boolean {
  switch (code) {
    case op.APPEND: machine.append(machine.size - 1); return true
    case op.SETITEM: machine.setItems(machine.size - 2); return true
    case op.EMPTY_TUPLE: machine.tuple(machine.size); return true
    case op.TUPLE1: machine.tuple(machine.size - 1); return true
    case op.TUPLE2: machine.tuple(machine.size - 2); return true
    case op.TUPLE3: machine.tuple(machine.size - 3); return true
    case op.TUPLE: machine.tuple(machine.popMark()); return true
    case op.EMPTY_SET: machine.pushContainer(new Set()); return true
    case op.ADDITEMS: machine.addItems(machine.popMark()); return true
    case op.FROZENSET: machine.frozenSet(machine.popMark()); return true
    default: return false
  }
}

// biome-ignore format: a row for each opcode
function special(code: number, input: ByteReader, machine: Machine): void {
  switch (code) {
    case op.PROTO: if (input.uint8() > HIGHEST_PROTOCOL) throw input.error('its protocol is newer than 5'); break
    case op.FRAME: input.require(input.uint64()); break
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

function finish(input: ByteReader, machine: Machine): unknown {
  const value = machine.finish()
  if (!input.isAtEnd) throw input.error('bytes follow its end')
  return value
}
