/**
 * What the reader knows of how values contain each other: how deep they are, and which dicts turned
 * out to be maps after something else had already got hold of them. Most items need none of it, so
 * only values that contain containers are looked at.
 */

import { LoadError } from '../../errors.js'

/** The containers of one pickle. */
export class Graph {
  readonly #maxDepth: number
  /** What was fetched from the memo or doubled, so that it may be in several places. */
  #shared: Set<object> | undefined
  #replaced: Map<object, object> | undefined

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth
  }

  share(value: object): void {
    this.#shared ??= new Set()
    this.#shared.add(value)
  }

  replace(old: object, value: object): void {
    if (this.#shared?.has(old) !== true) return
    this.#shared.add(value)
    this.#replaced ??= new Map()
    this.#replaced.set(old, value)
  }

  /** The whole value, with every replacement made. */
  finish(root: unknown): unknown {
    if (typeof root !== 'object' || root === null || this.#shared === undefined) return root
    const first = this.current(root)
    const seen = new Set<unknown>([first])
    let level: unknown[] = [first]
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > this.#maxDepth) throw this.tooDeep()
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
      for (let i = 0; i < container.length; i++) container[i] = this.current(container[i])
      return container
    }
    if (container instanceof Map) {
      for (const [key, value] of container) container.set(key, this.current(value))
      return [...container.keys(), ...container.values()]
    }
    if (container instanceof Set) return container
    if (typeof container !== 'object' || container === null || Object.getPrototypeOf(container) !== Object.prototype)
      return []
    for (const [key, value] of Object.entries(container)) {
      const current = this.current(value)
      if (current !== value) Object.defineProperty(container, key, { value: current })
    }
    return Object.values(container)
  }

  /** What has taken the place of a value, or itself. */
  current(value: unknown): unknown {
    if (this.#replaced === undefined) return value
    return typeof value === 'object' && value !== null ? (this.#replaced.get(value) ?? value) : value
  }

  tooDeep(): LoadError {
    return new LoadError(`cannot load an item: it is nested deeper than ${this.#maxDepth}`)
  }
}
