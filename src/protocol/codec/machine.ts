/**
 * The stack, the marks and the memo of a pickle, and what its opcodes do to them. It calls and imports
 * nothing: a name in the bytes is looked up in the table it was given, and what is not there is refused.
 */

import type { LoadError } from '../../errors.js'
import { FrozenSet, Tuple } from '../values.js'
import { Budget, Cost, FIRST_ROOM, HEAVY, MemberCost } from './budget.js'
import { CLASH, CLASH_STEPS, Clashes, FEW_CLASH_STEPS } from './clashes.js'
import { addKey, isPlainDict, ONE_KEY, setProperty, toMap } from './containers.js'
import { Elements } from './elements.js'
import { Graph } from './graph.js'
import { type Bounds, type Builder, Named } from './named.js'

/** What reading needs beside the bytes. */
export interface ReaderOptions extends Bounds {
  /** There is only the head of a pickle: it may be shorter than it says. */
  readonly isCut?: boolean
  readonly lookup: (module: string, name: string) => Builder | undefined
}

/** The state of one pickle being read. */
export class Machine {
  readonly #options: ReaderOptions
  readonly #error: (detail: string) => LoadError
  readonly #graph: Graph
  readonly #budget: Budget
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
  #named: Named | undefined
  readonly clashes: Clashes
  #elements: Elements | undefined
  /** Whether something is no container that a name stands for: text of a class, which Python may tell from plain text. */
  #hasBases = false
  #hasFunctions = false

  constructor(options: ReaderOptions, error: (detail: string) => LoadError) {
    this.#options = options
    this.#error = error
    this.#graph = new Graph(options.maxDepth)
    this.#budget = options.budget ?? new Budget(options.maxMemory)
    this.clashes = new Clashes(options.maxSteps === undefined ? CLASH_STEPS : FEW_CLASH_STEPS)
  }

  /** The one value that is left at the end. */
  finish(): unknown {
    const value = this.pop()
    if (this.#size > 0 || this.#marks.length > 0) throw this.#error('it ends in the middle of a value')
    if (this.#named?.has(value) === true) throw this.#error('it is a bare name')
    return this.#graph.finish(value)
  }

  get bounds(): Bounds {
    return { ...this.#options, budget: this.#budget }
  }

  /** Counts what is made beside containers. */
  spend(bytes: number): void {
    this.#budget.spend(bytes)
  }

  /** Counts what many members are about to make. */
  #spendAll(bytes: number): void {
    this.#budget.spend(bytes)
    if (bytes > HEAVY) this.checkMemory()
  }

  /**
   * Asked now and then, and ahead of long texts.
   *
   * @param textCost - Of those that were read, and of the one that comes.
   * @throws LoadError when there were more steps than there may be, or what has been made takes more than it may.
   */
  check(steps: number, textCost: number): void {
    const { maxSteps } = this.#options
    if (maxSteps !== undefined && steps > maxSteps) throw this.#error(`it has more than ${maxSteps} opcodes`)
    this.checkMemory(maxSteps === undefined ? 0 : textCost)
  }

  /** @throws LoadError when what has been made takes more than it may. */
  checkMemory(more = 0): void {
    if (this.#budget.isExceeded(this.#size + this.#marks.length + this.#memo.length, more))
      throw this.#error(`what it holds takes more than ${this.#budget} (maxItemBytes)`)
  }

  /** Of a list that the pickle began as, complete or not, the first member. */
  get firstMember(): unknown {
    const list = this.#stack[0]
    if (!Array.isArray(list)) return undefined
    return list.length > 0 || this.#size < 2 ? list[0] : this.#stack[1]
  }

  // The stack.

  get size(): number {
    return this.#size
  }

  push(value: unknown): void {
    this.#stack[this.#size++] = value
  }

  /** Puts a container that was made on the stack. @param cost - Its own, without members. @param depth - Counts it and what it holds. */
  pushContainer(value: object, cost: number, depth = 1): void {
    this.#budget.spend(cost)
    this.#depths[this.#size] = depth
    this.#memoOf[this.#size] = -1
    this.push(value)
  }

  /** Puts what is elsewhere already on the stack once more. */
  pushAgain(value: unknown, index = -1): void {
    if (!isReference(value)) return this.push(value)
    this.#graph.share(value)
    this.pushContainer(value, MemberCost.LIST)
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
    // Numbers follow each other; those of Python 2 begin with 1.
    if (index > this.#memo.length + 1) throw this.#error(`memo entry ${index} is out of range`)
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
      if (typeof item === 'function') {
        if (this.#named?.has(item) === true) throw this.#error('a bare name is no value')
        this.#hasFunctions = true
      }
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
    this.#spendAll((target.length === 0 ? FIRST_ROOM : 0) + (this.#size - start) * MemberCost.LIST)
    for (let i = start; i < this.#size; i++) target.push(this.#stack[i])
    this.#size = start
  }

  /** Makes a tuple of what is on the stack from `start` on. */
  tuple(start: number): void {
    if (start < this.#floor) throw this.#error('an operand is missing')
    const depth = this.#depthWith(start)
    const tuple = new Tuple()
    for (let i = start; i < this.#size; i++) tuple.push(this.#stack[i])
    const room = this.#size === start ? 0 : FIRST_ROOM + (this.#size - start) * MemberCost.LIST
    this.#size = start
    this.pushContainer(tuple, Cost.TUPLE + room, depth)
  }

  /**
   * Puts the keys and values from `start` on into the dict below them.
   *
   * @param hasTwins - Two of its texts may be one here. Else no property is looked for: that takes as long as all the rest.
   */
  setItems(start: number, hasTwins: boolean): void {
    const target = this.#graph.current(this.#target(start))
    if ((this.#size - start) % 2 !== 0) throw this.#error('a key has no value')
    this.#deepen(start)
    this.#spendAll((this.#size - start) * (MemberCost.DICT / 2))
    if (target instanceof Map) this.#setEntries(target, start)
    else if (!isPlainDict(target)) throw this.#error('keys are set on what is no dict')
    else if (this.#hasTextKeys(start)) this.#setProperties(target, start, hasTwins || this.#hasBases)
    else this.#setEntries(this.#becomeMap(target, start), start)
    this.#size = start
  }

  #hasTextKeys(start: number): boolean {
    for (let i = start; i < this.#size; i += 2) {
      if (typeof this.#stack[i] !== 'string') return false
    }
    return true
  }

  #setProperties(target: Record<string, unknown>, start: number, hasTwins: boolean): void {
    const stack = this.#stack
    for (let i = start; i < this.#size; i += 2) {
      const key = stack[i]
      if (typeof key !== 'string') continue
      if (hasTwins && Object.hasOwn(target, key)) throw this.#error(ONE_KEY)
      if (key.charCodeAt(0) <= DIGIT_9) {
        this.#elements ??= new Elements(this.#budget)
        this.#elements.count(target, key)
      }
      setProperty(target, key, stack[i + 1])
    }
    if (this.#hasFunctions && Object.hasOwn(target, 'then') && typeof target['then'] === 'function')
      throw this.#error('it holds a dict with a function as "then": whoever awaited it would call that')
  }

  #setEntries(target: Map<unknown, unknown>, start: number): void {
    const expected = target.size + (this.#size - start) / 2
    if (this.clashes.add(target, this.#stack, start, this.#size, 2)) throw this.#error(CLASH)
    for (let i = start; i < this.#size; i += 2) {
      const key = this.#stack[i]
      addKey(key)
      target.set(key, this.#stack[i + 1])
    }
    if (target.size !== expected) throw this.#error(ONE_KEY)
  }

  /** A dict is a plain object until a key comes that is no string. */
  #becomeMap(target: Record<string, unknown>, start: number): Map<unknown, unknown> {
    const map = toMap(target)
    this.#spendAll(Cost.MAP + map.size * MemberCost.DICT)
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
    this.pushContainer(new FrozenSet(members), 2 * Cost.SET, depth)
  }

  #addAll(target: Set<unknown>, start: number): void {
    const expected = target.size + this.#size - start
    this.#spendAll((this.#size - start) * MemberCost.SET)
    if (this.clashes.add(target, this.#stack, start, this.#size)) throw this.#error(CLASH)
    for (let i = start; i < this.#size; i++) {
      const item = this.#stack[i]
      addKey(item)
      target.add(item)
    }
    if (target.size !== expected) throw this.#error('two members of a set are one member in JavaScript')
  }

  // Names.

  find(module: unknown, name: unknown): Builder {
    this.#named ??= new Named(this, this.#options.lookup, this.#error)
    return this.#named.find(module, name)
  }

  stackGlobal(): void {
    const name = this.pop()
    this.push(this.find(this.pop(), name))
  }

  reduce(): void {
    const args = this.pop()
    const depth = this.#depths[this.#size]
    const builder = this.pop()
    if (this.#named === undefined) throw this.#error('what it calls is no name')
    const value = this.#named.build(builder, args)
    if (isReference(value)) return this.pushContainer(value, Cost.NAMED, depth)
    this.#hasBases = true
    this.push(value)
  }

  persistentId(): void {
    this.#named ??= new Named(this, this.#options.lookup, this.#error)
    const [value, isNew] = this.#named.persistent(this.pop())
    if (isNew && isReference(value)) return this.pushContainer(value, Cost.NAMED)
    if (isNew) this.#hasBases = true
    this.pushAgain(value)
  }
}

/** Neither text nor number: what may contain something, or may be a name. */
function isReference(value: unknown): value is object {
  return typeof value === 'object' ? value !== null : typeof value === 'function'
}

const DIGIT_9 = 0x39
