/** What the names in a pickle stand for, and what is made by them: as often as the pickle says so, each time anew. */

import type { LoadError } from '../../errors.js'
import { Tuple } from '../values.js'
import { type Budget, Cost, HEAVY, MemberCost } from './budget.js'
import type { Clashes } from './clashes.js'

/** Makes the value that a name on the wire stands for. Functions are never values: that tells them apart on the stack. */
export type Builder = (args: readonly unknown[], counting: Counting) => unknown

/** Who counts what is made of the whole payload. */
export interface Counting {
  readonly clashes: Clashes
  readonly bounds: Bounds
  spend(bytes: number): void
  checkMemory(): void
}

/** Those of the payload, for what is read inside of it. */
export interface Bounds {
  readonly maxDepth: number
  /** Bytes that what is made may take, beside those of the payload. */
  readonly maxMemory: number
  /** Of payloads that share it; one of its own when absent. */
  readonly budget?: Budget | undefined
  /** How many opcodes there may be: most make nothing that is counted. When present, texts count as what they take. */
  readonly maxSteps?: number | undefined
}

type Lookup = (module: string, name: string) => Builder | undefined

// Of arguments, in bytes: lighter ones are not known again. What is made of the same once more, as no Python says, takes so many times the
// bytes: it is all work.
const LIGHT = 64
const AGAIN = 16

/** One payload's. */
export class Named {
  readonly #counting: Counting
  readonly #lookup: Lookup
  readonly #error: (detail: string) => LoadError
  readonly #names = new Set<unknown>() // other functions are values: a reference may stand for one
  #given: Set<unknown> | undefined
  #persistent: Map<object, unknown> | undefined

  constructor(counting: Counting, lookup: Lookup, error: (detail: string) => LoadError) {
    this.#counting = counting
    this.#lookup = lookup
    this.#error = error
  }

  /** Whether a value is none, but what a name stands for. */
  has(value: unknown): boolean {
    return this.#names.has(value)
  }

  /** @throws LoadError for a name that is not in the table. */
  find(module: unknown, name: unknown): Builder {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#error('a name is no text')
    const builder = this.#lookup(module, name)
    if (builder === undefined) throw this.#error(`it asks for ${quoteName(module, name)}, which has no wire type`)
    this.#names.add(builder)
    this.#counting.spend(Cost.NAMED)
    return builder
  }

  build(builder: unknown, args: unknown): unknown {
    if (typeof builder === 'function' && this.#names.has(builder) && args instanceof Tuple) {
      let weight = 0
      for (let i = 0; i < args.length; i++) weight += this.#weightOf(args[i])
      this.#counting.spend(weight)
      if (weight > HEAVY) this.#counting.checkMemory()
      return builder(args, this.#counting)
    }
    throw this.#error('what it calls is no name')
  }

  /** What a persistent id stands for, and whether it is made now. */
  persistent(id: unknown): [value: unknown, isNew: boolean] {
    if (!(id instanceof Tuple)) throw this.#error('a persistent id is no tuple')
    this.#persistent ??= new Map()
    const known = this.#persistent.get(id)
    if (known !== undefined) return [known, false]
    const value = this.build(this.find(id[0], id[1]), id[2])
    this.#persistent.set(id, value)
    return [value, true]
  }

  #weightOf(arg: unknown): number {
    const weight = weightOf(arg)
    if (weight < LIGHT) return weight
    this.#given ??= new Set()
    if (this.#given.has(arg)) return weight * AGAIN
    this.#given.add(arg)
    return weight
  }
}

function weightOf(arg: unknown): number {
  if (typeof arg === 'string') return arg.length
  if (Array.isArray(arg)) return arg.length * MemberCost.SET
  return arg instanceof Uint8Array ? arg.length : 0
}

function quoteName(module: string, name: string): string {
  return JSON.stringify(`${module}.${name}`.slice(0, 100))
}
