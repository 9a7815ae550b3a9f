/**
 * A stack machine that reads pickles as data: bytes in, plain values out, or a `LoadError`. It calls
 * and imports nothing; a name in the bytes is looked up in the table it was given, and what is not
 * there is refused. Hostile bytes meet a limit before they cost memory.
 */

import { LoadError } from '../../errors.js'
import { FrozenSet, Tuple } from '../values.js'
import { ByteReader } from './byte-reader.js'
import { addKey, isPlainDict, setProperty, toMap } from './containers.js'
import { Graph } from './graph.js'
import * as op from './opcodes.js'

/** Makes the value that a name on the wire stands for. Functions are never values: the reader tells them apart by that. */
export type Builder = (args: readonly unknown[]) => unknown

/** What a reader needs beside the bytes. */
export interface ReaderOptions {
  readonly lookup: (module: string, name: string) => Builder | undefined
  readonly maxDepth: number
}

const HIGHEST_PROTOCOL = 5

/** Reads one pickle; made for it and used once. */
export class PickleReader {
  readonly #in: ByteReader
  readonly #lookup: ReaderOptions['lookup']
  readonly #graph: Graph
  readonly #stack: unknown[] = []
  #size = 0
  readonly #marks: number[] = []
  /** The stack's size at the last mark: nothing below it may be popped. */
  #floor = 0
  readonly #memo: unknown[] = []
  /** Per stack position, the memo number of what was put there: a dict that becomes a Map changes both. */
  readonly #memoOf: number[] = []
  #persistent: Map<object, unknown> | undefined

  constructor(payload: Uint8Array, options: ReaderOptions) {
    this.#in = new ByteReader(payload)
    this.#lookup = options.lookup
    this.#graph = new Graph(options.maxDepth)
  }

  read(): unknown {
    const input = this.#in
    for (;;) {
      const code = input.uint8()
      // What items are mostly made of, in the order of how often it comes; the rest is below.
      switch (code) {
        case op.SHORT_BINUNICODE: this.#push(input.text(input.uint8())); break
        case op.BINGET: this.#get(input.uint8()); break
        case op.BININT1: this.#push(input.uint8()); break
        case op.BINFLOAT: this.#push(input.float64()); break
        case op.MEMOIZE: this.#memoize(this.#memo.length); break
        case op.BINUNICODE: this.#push(input.text(input.uint32())); break
        case op.BINPUT: this.#memoize(input.uint8()); break
        case op.LONG_BINPUT: this.#memoize(input.uint32()); break
        case op.LONG_BINGET: this.#get(input.uint32()); break
        case op.BININT2: this.#push(input.uint16()); break
        case op.BININT: this.#push(input.int32()); break
        case op.EMPTY_DICT: this.#push({}); break
        case op.MARK: this.#mark(); break
        case op.SETITEMS: this.#setItems(this.#popMark()); break
        case op.NONE: this.#push(null); break
        case op.NEWTRUE: this.#push(true); break
        case op.NEWFALSE: this.#push(false); break
        case op.EMPTY_LIST: this.#push([]); break
        case op.APPENDS: this.#append(this.#popMark()); break
        case op.STOP: return this.#finish()
        default: if (!this.#scalar(code) && !this.#container(code)) this.#machine(code)
      }
    }
  }

  #scalar(code: number): boolean {
    const input = this.#in
    switch (code) {
      case op.LONG1: this.#push(input.long(input.uint8())); return true
      case op.LONG4: this.#push(input.long(input.uint32())); return true
      case op.INT: case op.LONG: this.#push(input.decimal()); return true
      case op.BINUNICODE8: this.#push(input.text(input.uint64())); return true
      case op.SHORT_BINSTRING: this.#push(input.textOrBytes(input.uint8())); return true
      case op.BINSTRING: this.#push(input.textOrBytes(input.uint32())); return true
      case op.SHORT_BINBYTES: this.#push(input.bytes(input.uint8())); return true
      case op.BINBYTES: this.#push(input.bytes(input.uint32())); return true
      case op.BINBYTES8: case op.BYTEARRAY8: this.#push(input.bytes(input.uint64())); return true
      default: return false
    }
  }

  #container(code: number): boolean {
    switch (code) {
      case op.APPEND: this.#append(this.#size - 1); return true
      case op.SETITEM: this.#setItems(this.#size - 2); return true
      case op.EMPTY_TUPLE: this.#push(new Tuple()); return true
      case op.TUPLE1: this.#tuple(this.#size - 1); return true
      case op.TUPLE2: this.#tuple(this.#size - 2); return true
      case op.TUPLE3: this.#tuple(this.#size - 3); return true
      case op.TUPLE: this.#tuple(this.#popMark()); return true
      case op.EMPTY_SET: this.#push(new Set()); return true
      case op.ADDITEMS: this.#addItems(this.#popMark()); return true
      case op.FROZENSET: this.#frozenSet(this.#popMark()); return true
      default: return false
    }
  }

  #machine(code: number): void {
    const input = this.#in
    switch (code) {
      case op.PROTO: if (input.uint8() > HIGHEST_PROTOCOL) throw input.error('its protocol is newer than 5'); break
      case op.FRAME: input.require(input.uint64()); break
      case op.POP: if (this.#size > this.#floor) this.#size--; else this.#popMark(); break
      case op.POP_MARK: this.#size = this.#popMark(); break
      case op.DUP: this.#push(this.#peek()); break
      case op.GLOBAL: this.#push(this.#find(input.line(), input.line())); break
      case op.STACK_GLOBAL: this.#stackGlobal(); break
      case op.REDUCE: this.#reduce(); break
      case op.BINPERSID: this.#persistentId(); break
      default: throw input.error(`opcode 0x${code.toString(16)} is not one that items use`)
    }
  }

  #finish(): unknown {
    const value = this.#pop()
    if (this.#size !== 0) throw this.#in.error('it ends in the middle of a value')
    if (!this.#in.isAtEnd) throw this.#in.error('bytes follow its end')
    if (typeof value === 'function') throw this.#in.error('it is a bare name')
    return this.#graph.finish(value)
  }

  // The stack.

  #push(value: unknown): void {
    this.#stack[this.#size++] = value
  }

  #pop(): unknown {
    const value = this.#peek()
    this.#size--
    return value
  }

  #peek(): unknown {
    if (this.#size <= this.#floor) throw this.#in.error('an operand is missing')
    return this.#stack[this.#size - 1]
  }

  #mark(): void {
    this.#marks.push(this.#size)
    this.#floor = this.#size
  }

  #popMark(): number {
    const mark = this.#marks.pop()
    if (mark === undefined) throw this.#in.error('a mark is missing')
    this.#floor = this.#marks.at(-1) ?? 0
    return mark
  }

  /** What the members from `start` on are to be put into. */
  #target(start: number): unknown {
    if (start <= this.#floor) throw this.#in.error('there is nothing to put members into')
    return this.#stack[start - 1]
  }

  // The memo.

  #memoize(index: number): void {
    // Every entry costs a byte at least, so no honest number is larger than the payload.
    if (index > this.#in.size) throw this.#in.error(`memo entry ${index} is out of range`)
    this.#memo[index] = this.#peek()
    this.#memoOf[this.#size - 1] = index
  }

  #get(index: number): void {
    const value = this.#memo[index]
    if (value === undefined) throw this.#in.error(`memo entry ${index} is missing`)
    if (typeof value === 'object' && value !== null) this.#graph.share(value)
    this.#push(value)
  }

  // Containers.

  #append(start: number): void {
    const target = this.#target(start)
    if (!Array.isArray(target) || target instanceof Tuple) throw this.#in.error('members are appended to what is no list')
    for (let i = start; i < this.#size; i++) {
      const item = this.#stack[i]
      if (isReference(item)) this.#graph.contain(target, item)
      target.push(item)
    }
    this.#size = start
  }

  #tuple(start: number): void {
    if (start < this.#floor) throw this.#in.error('an operand is missing')
    const tuple = new Tuple()
    for (let i = start; i < this.#size; i++) {
      const item = this.#stack[i]
      if (isReference(item)) this.#graph.contain(tuple, item)
      tuple.push(item)
    }
    this.#size = start
    this.#push(tuple)
  }

  #setItems(start: number): void {
    const target = this.#target(start)
    if ((this.#size - start) % 2 !== 0) throw this.#in.error('a key has no value')
    if (target instanceof Map) this.#setEntries(target, start)
    else if (!isPlainDict(target)) throw this.#in.error('keys are set on what is no dict')
    else if (this.#hasTextKeys(start)) this.#setProperties(target, start)
    else this.#setEntries(this.#becomeMap(target, start), start)
    this.#size = start
  }

  #hasTextKeys(start: number): boolean {
    for (let i = start; i < this.#size; i += 2) {
      if (typeof this.#stack[i] !== 'string') return false
    }
    return true
  }

  #setProperties(target: Record<string, unknown>, start: number): void {
    const stack = this.#stack
    for (let i = start; i < this.#size; i += 2) {
      const key = stack[i]
      const value = stack[i + 1]
      if (isReference(value)) this.#graph.contain(target, value)
      if (typeof key === 'string') setProperty(target, key, value)
    }
  }

  #setEntries(target: Map<unknown, unknown>, start: number): void {
    const expected = target.size + (this.#size - start) / 2
    for (let i = start; i < this.#size; i += 2) {
      const key = this.#stack[i]
      const value = this.#stack[i + 1]
      if (isReference(key)) this.#graph.contain(target, key)
      if (isReference(value)) this.#graph.contain(target, value)
      addKey(key)
      target.set(key, value)
    }
    if (target.size !== expected) throw this.#in.error('two keys of a dict are one key in JavaScript')
  }

  /** A dict is a plain object until a key comes that is no string. */
  #becomeMap(target: Record<string, unknown>, start: number): Map<unknown, unknown> {
    const map = toMap(target)
    this.#stack[start - 1] = map
    const index = this.#memoOf[start - 1]
    if (index !== undefined && this.#memo[index] === target) this.#memo[index] = map
    this.#graph.replace(target, map)
    return map
  }

  #addItems(start: number): void {
    const target = this.#target(start)
    if (!(target instanceof Set) || target instanceof FrozenSet) throw this.#in.error('members are added to what is no set')
    this.#addAll(target, start)
    this.#size = start
  }

  #frozenSet(start: number): void {
    const members = new Set()
    this.#addAll(members, start)
    const frozen = new FrozenSet(members)
    this.#graph.adopt(frozen, members)
    this.#size = start
    this.#push(frozen)
  }

  #addAll(target: Set<unknown>, start: number): void {
    const expected = target.size + this.#size - start
    for (let i = start; i < this.#size; i++) {
      const item = this.#stack[i]
      if (isReference(item)) this.#graph.contain(target, item)
      addKey(item)
      target.add(item)
    }
    if (target.size !== expected) throw this.#in.error('two members of a set are one member in JavaScript')
  }

  // Names.

  #find(module: unknown, name: unknown): Builder {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#in.error('a name is no text')
    const builder = this.#lookup(module, name)
    if (builder === undefined) throw this.#in.error(`it asks for ${quoteName(module, name)}, which has no wire type`)
    return builder
  }

  #stackGlobal(): void {
    const name = this.#pop()
    this.#push(this.#find(this.#pop(), name))
  }

  #reduce(): void {
    const args = this.#pop()
    this.#push(this.#build(this.#pop(), args))
  }

  #build(builder: unknown, args: unknown): unknown {
    if (typeof builder !== 'function' || !(args instanceof Tuple)) throw this.#in.error('what it calls is no name')
    const value: unknown = builder(args)
    if (typeof value === 'object' && value !== null && value !== args) this.#graph.adopt(value, args)
    return value
  }

  #persistentId(): void {
    const id = this.#pop()
    if (!(id instanceof Tuple)) throw this.#in.error('a persistent id is no tuple')
    this.#persistent ??= new Map()
    let value = this.#persistent.get(id)
    if (value === undefined) {
      value = this.#build(this.#find(id[0], id[1]), id[2])
      this.#persistent.set(id, value)
    } else if (typeof value === 'object' && value !== null) {
      this.#graph.share(value)
    }
    this.#push(value)
  }
}

/** Neither text nor number: what may contain something, or a name that must not become a value. */
function isReference(value: unknown): value is object {
  return typeof value === 'object' ? value !== null : typeof value === 'function'
}

function quoteName(module: string, name: string): string {
  return JSON.stringify(`${module}.${name}`.slice(0, 100))
}
