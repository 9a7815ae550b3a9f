/**
 * The stack, the marks and the memo of a pickle, and what its opcodes do to them. It calls and imports
 * nothing: a name in the bytes is looked up in the table it was given, and what is not there is refused.
 */

import type { LoadError } from '../../errors.js'
import { FrozenSet, Tuple } from '../values.js'
import { addKey, isPlainDict, setProperty, toMap } from './containers.js'
import { Graph } from './graph.js'

/** Makes the value that a name on the wire stands for. Functions are never values: that tells them apart on the stack. */
export type Builder = (args: readonly unknown[]) => unknown

/** What reading needs beside the bytes. */
export interface ReaderOptions {
  readonly lookup: (module: string, name: string) => Builder | undefined
  readonly maxDepth: number
}

/** The state of one pickle being read. */
export class Machine {
  readonly #options: ReaderOptions
  readonly #error: (detail: string) => LoadError
  readonly #maxMemo: number
  readonly #graph: Graph
  readonly #stack: unknown[] = []
  #size = 0
  readonly #marks: number[] = []
  /** The stack's size at the last mark: nothing below it may be popped. */
  #floor = 0
  readonly #memo: unknown[] = []
  /** Per stack position, how deep the container there is: a table keyed by containers took a fifth of the time of reading rows. */
  readonly #depths: number[] = []
  /** Per stack position, the memo number of the container there: a dict that becomes a Map changes both. */
  readonly #memoOf: number[] = []
  readonly #names = new Set<unknown>() // other functions are values: a reference may stand for one
  #persistent: Map<object, unknown> | undefined

  /** @param maxMemo - The payload's size: every memo entry costs a byte at least, so no honest number is larger. */
  constructor(options: ReaderOptions, maxMemo: number, error: (detail: string) => LoadError) {
    this.#options = options
    this.#maxMemo = maxMemo
    this.#error = error
    this.#graph = new Graph(options.maxDepth)
  }

  /** The one value that is left at the end. */
  finish(): unknown {
    const value = this.pop()
    if (this.#size > 0 || this.#marks.length > 0) throw this.#error('it ends in the middle of a value')
    if (this.#names.has(value)) throw this.#error('it is a bare name')
    return this.#graph.finish(value)
  }

  // The stack.

  get size(): number {
    return this.#size
  }

  push(value: unknown): void {
    this.#stack[this.#size++] = value
  }

  /** Puts a container on the stack; `depth` counts it and what it holds. */
  pushContainer(value: object, depth = 1): void {
    this.#depths[this.#size] = depth
    this.#memoOf[this.#size] = -1
    this.push(value)
  }

  /** Puts what is elsewhere already on the stack once more. */
  pushAgain(value: unknown, index = -1): void {
    if (!isReference(value)) return this.push(value)
    this.#graph.share(value)
    this.pushContainer(value)
    this.#memoOf[this.#size - 1] = index
  }

  pop(): unknown {
    const value = this.peek()
    this.#size--
    return value
  }

  peek(): unknown {
    if (this.#size <= this.#floor) throw this.#error('an operand is missing')
    return this.#stack[this.#size - 1]
  }

  mark(): void {
    this.#marks.push(this.#size)
    this.#floor = this.#size
  }

  popMark(): number {
    const mark = this.#marks.pop()
    if (mark === undefined) throw this.#error('a mark is missing')
    this.#floor = this.#marks.at(-1) ?? 0
    return mark
  }

  /** What the members from `start` on are to be put into. */
  #target(start: number): unknown {
    if (start <= this.#floor) throw this.#error('there is nothing to put members into')
    return this.#stack[start - 1]
  }

  /** POP, which takes a mark away where one is on top. */
  drop(): void {
    if (this.#size > this.#floor) this.#size--
    else this.popMark()
  }

  /** Forgets what came after the last mark. */
  dropToMark(): void {
    this.#size = this.popMark()
  }

  // The memo.

  /** @param index - The next one when absent. */
  memoize(index: number = this.#memo.length): void {
    if (index > this.#maxMemo) throw this.#error(`memo entry ${index} is out of range`)
    const value = this.peek()
    this.#memo[index] = value
    if (isReference(value)) this.#memoOf[this.#size - 1] = index
  }

  get(index: number): void {
    const value = this.#memo[index]
    if (value === undefined) throw this.#error(`memo entry ${index} is missing`)
    this.pushAgain(value, index)
  }

  // Containers.

  /** How deep a container is that was so deep, and now holds what is on the stack from `start` on. */
  #depthWith(start: number, before = 1): number {
    let depth = before
    for (let i = start; i < this.#size; i++) {
      const item = this.#stack[i]
      if (!isReference(item)) continue
      if (typeof item === 'function' && this.#names.has(item)) throw this.#error('a bare name is no value')
      const own = (this.#depths[i] ?? 1) + 1
      if (own > depth) depth = own
    }
    if (depth > this.#options.maxDepth) throw this.#graph.tooDeep()
    return depth
  }

  /** What is on the stack from `start` on goes into the container below. */
  #deepen(start: number): void {
    this.#depths[start - 1] = this.#depthWith(start, this.#depths[start - 1])
  }

  /** Puts what is on the stack from `start` on into the list below it. */
  append(start: number): void {
    const target = this.#target(start)
    if (!Array.isArray(target) || target instanceof Tuple) throw this.#error('members are appended to what is no list')
    this.#deepen(start)
    for (let i = start; i < this.#size; i++) target.push(this.#stack[i])
    this.#size = start
  }

  /** Makes a tuple of what is on the stack from `start` on. */
  tuple(start: number): void {
    if (start < this.#floor) throw this.#error('an operand is missing')
    const depth = this.#depthWith(start)
    const tuple = new Tuple()
    for (let i = start; i < this.#size; i++) tuple.push(this.#stack[i])
    this.#size = start
    this.pushContainer(tuple, depth)
  }

  /** Puts the keys and values from `start` on into the dict below them. */
  setItems(start: number): void {
    const target = this.#target(start)
    if ((this.#size - start) % 2 !== 0) throw this.#error('a key has no value')
    this.#deepen(start)
    if (target instanceof Map) this.#setEntries(target, start)
    else if (!isPlainDict(target)) throw this.#error('keys are set on what is no dict')
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
      if (typeof key === 'string') setProperty(target, key, stack[i + 1])
    }
  }

  #setEntries(target: Map<unknown, unknown>, start: number): void {
    const expected = target.size + (this.#size - start) / 2
    for (let i = start; i < this.#size; i += 2) {
      const key = this.#stack[i]
      addKey(key)
      target.set(key, this.#stack[i + 1])
    }
    if (target.size !== expected) throw this.#error('two keys of a dict are one key in JavaScript')
  }

  /** A dict is a plain object until a key comes that is no string. */
  #becomeMap(target: Record<string, unknown>, start: number): Map<unknown, unknown> {
    const map = toMap(target)
    this.#stack[start - 1] = map
    const index = this.#memoOf[start - 1] ?? -1
    if (this.#memo[index] === target) this.#memo[index] = map
    this.#graph.replace(target, map)
    return map
  }

  addItems(start: number): void {
    const target = this.#target(start)
    if (!(target instanceof Set) || target instanceof FrozenSet)
      throw this.#error('members are added to what is no set')
    this.#deepen(start)
    this.#addAll(target, start)
    this.#size = start
  }

  frozenSet(start: number): void {
    const depth = this.#depthWith(start)
    const members = new Set()
    this.#addAll(members, start)
    this.#size = start
    this.pushContainer(new FrozenSet(members), depth)
  }

  #addAll(target: Set<unknown>, start: number): void {
    const expected = target.size + this.#size - start
    for (let i = start; i < this.#size; i++) {
      const item = this.#stack[i]
      addKey(item)
      target.add(item)
    }
    if (target.size !== expected) throw this.#error('two members of a set are one member in JavaScript')
  }

  // Names.

  /** @throws LoadError for a name that is not in the table. */
  find(module: unknown, name: unknown): Builder {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#error('a name is no text')
    const builder = this.#options.lookup(module, name)
    if (builder === undefined) throw this.#error(`it asks for ${quoteName(module, name)}, which has no wire type`)
    this.#names.add(builder)
    return builder
  }

  stackGlobal(): void {
    const name = this.pop()
    this.push(this.find(this.pop(), name))
  }

  reduce(): void {
    const args = this.pop()
    const depth = this.#depths[this.#size]
    const value = this.#build(this.pop(), args)
    if (isReference(value)) this.pushContainer(value, depth)
    else this.push(value)
  }

  #build(builder: unknown, args: unknown): unknown {
    if (typeof builder === 'function' && this.#names.has(builder) && args instanceof Tuple) return builder(args)
    throw this.#error('what it calls is no name')
  }

  persistentId(): void {
    const id = this.pop()
    if (!(id instanceof Tuple)) throw this.#error('a persistent id is no tuple')
    this.#persistent ??= new Map()
    let value = this.#persistent.get(id)
    if (value === undefined) {
      value = this.#build(this.find(id[0], id[1]), id[2])
      this.#persistent.set(id, value)
      if (isReference(value)) return this.pushContainer(value)
    }
    this.pushAgain(value)
  }
}

/** Neither text nor number: what may contain something, or may be a name. */
function isReference(value: unknown): value is object {
  return typeof value === 'object' ? value !== null : typeof value === 'function'
}

function quoteName(module: string, name: string): string {
  return JSON.stringify(`${module}.${name}`.slice(0, 100))
}
