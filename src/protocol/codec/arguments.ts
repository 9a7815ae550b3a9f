/** What a name on the wire was given: read by position, and refused where it is of another type. */

import { LoadError } from '../../errors.js'
import { Tuple } from '../values.js'

/** The arguments of one name. */
export class Arguments {
  readonly #name: string
  readonly #values: readonly unknown[]

  constructor(name: string, values: readonly unknown[]) {
    this.#name = name
    this.#values = values
  }

  get count(): number {
    return this.#values.length
  }

  any(index: number): unknown {
    if (index >= this.#values.length) throw this.error(index, 'is missing')
    return this.#values[index]
  }

  text(index: number): string {
    const value = this.any(index)
    if (typeof value !== 'string') throw this.error(index, 'is no text')
    return value
  }

  integer(index: number): number {
    const value = this.any(index)
    if (!Number.isSafeInteger(value) || typeof value !== 'number') throw this.error(index, 'is no integer')
    return value
  }

  bigint(index: number): bigint {
    const value = this.any(index)
    return typeof value === 'bigint' ? value : BigInt(this.integer(index))
  }

  float(index: number): number {
    const value = this.any(index)
    if (typeof value !== 'number') throw this.error(index, 'is no number')
    return value
  }

  bytes(index: number): Uint8Array {
    const value = this.any(index)
    if (!(value instanceof Uint8Array)) throw this.error(index, 'is not bytes')
    return value
  }

  fold(index: number): 0 | 1 {
    const value = this.integer(index)
    if (value !== 0 && value !== 1) throw this.error(index, 'is not 0 or 1')
    return value
  }

  tuple(index: number): readonly unknown[] {
    const value = this.any(index)
    if (!(value instanceof Tuple)) throw this.error(index, 'is no tuple')
    return value
  }

  /** A list or a tuple; empty when there is no such argument. */
  items(index: number): readonly unknown[] {
    if (index >= this.count) return []
    const value = this.any(index)
    if (!Array.isArray(value)) throw this.error(index, 'is no list')
    return value
  }

  /** What `read` gives, or null where Python sent None. */
  optional<T>(index: number, read: (index: number) => T): T | null {
    return this.any(index) === null ? null : read.call(this, index)
  }

  error(index: number, detail: string): LoadError {
    return new LoadError(`cannot load an item: argument ${index} of ${this.#name} ${detail}`)
  }
}
