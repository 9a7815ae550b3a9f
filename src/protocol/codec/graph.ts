/**
 * What the reader knows of how values contain each other: how deep they are, and which dicts turned
 * out to be maps after something else had already got hold of them. Most items need none of it, so
 * only values that contain containers are looked at.
 */

import { LoadError } from '../../errors.js'

/** The containers of one pickle. */
export class Graph {
  readonly #maxDepth: number
  /** Containers of containers; whatever is not here has depth 1. */
  readonly #depths = new Map<object, number>()
  /** What was fetched from the memo, so that it may be in several places. */
  readonly #shared = new Set<object>()
  readonly #replaced = new Map<object, object>()
  /** Something grew after it may have been put into something else: depths are too small. */
  #isUnsure = false

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth
  }

  share(value: object): void {
    this.#shared.add(value)
  }

  contain(parent: object, child: object): void {
    if (typeof child === 'function') throw new LoadError('cannot load an item: a bare name is no value')
    const depth = (this.#depths.get(child) ?? 1) + 1
    if (depth <= (this.#depths.get(parent) ?? 1)) return
    if (depth > this.#maxDepth) throw this.#tooDeep()
    this.#depths.set(parent, depth)
    if (this.#shared.has(parent)) this.#isUnsure = true
  }

  /** `value` was made of `source` and is as deep. */
  adopt(value: object, source: object): void {
    const depth = this.#depths.get(source)
    if (depth !== undefined && depth > (this.#depths.get(value) ?? 1)) this.#depths.set(value, depth)
  }

  replace(old: object, value: object): void {
    const depth = this.#depths.get(old)
    if (depth !== undefined) this.#depths.set(value, depth)
    if (this.#shared.has(old)) {
      this.#shared.add(value)
      this.#replaced.set(old, value)
    }
  }

  /** The whole value, with every replacement made. */
  finish(root: unknown): unknown {
    if (typeof root !== 'object' || root === null || (!this.#isUnsure && this.#replaced.size === 0)) return root
    const first = this.#current(root)
    const seen = new Set<unknown>([first])
    let level: unknown[] = [first]
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > this.#maxDepth) throw this.#tooDeep()
      const below: unknown[] = []
      for (const container of level) {
        for (const member of this.#members(container)) {
          if (typeof member === 'object' && member !== null && !seen.has(member)) {
            seen.add(member)
            below.push(member)
          }
        }
      }
      level = below
    }
    return first
  }

  /** The members of a container, after those that were replaced have been. */
  #members(container: unknown): Iterable<unknown> {
    if (Array.isArray(container)) {
      for (let i = 0; i < container.length; i++) container[i] = this.#current(container[i])
      return container
    }
    if (container instanceof Map) {
      for (const [key, value] of container) container.set(key, this.#current(value))
      return [...container.keys(), ...container.values()]
    }
    if (container instanceof Set) return container
    if (typeof container !== 'object' || container === null || Object.getPrototypeOf(container) !== Object.prototype)
      return []
    for (const [key, value] of Object.entries(container)) {
      const current = this.#current(value)
      if (current !== value) Object.defineProperty(container, key, { value: current })
    }
    return Object.values(container)
  }

  #current(value: unknown): unknown {
    return typeof value === 'object' && value !== null ? (this.#replaced.get(value) ?? value) : value
  }

  #tooDeep(): LoadError {
    return new LoadError(`cannot load an item: it is nested deeper than ${this.#maxDepth}`)
  }
}
