/** Operands as they are when a step is written, though it is sent a moment later. */
import { isPlainObject } from '../../core.js'

/** Copying more than so many members costs more than sending a step of its own. */
const MAX_MEMBERS = 64

/** @returns The operands, and whether they are copies: where there is too much to copy, or what nobody can copy, they are the originals. */
export function copied(operands: readonly unknown[]): readonly [operands: readonly unknown[], areCopies: boolean] {
  const copier = new Copier()
  const copies = operands.map((operand) => copier.copy(operand))
  return copier.hasFailed ? [operands, false] : [copies, true]
}

class Copier {
  hasFailed = false
  #left = MAX_MEMBERS

  copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value) && isPlainList(value))
      return this.#members(value.length, () => value.map((member) => this.copy(member)))
    if (!isPlainObject(value)) return this.#fail(value)
    const keys = Object.keys(value)
    return this.#members(keys.length, () =>
      Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.copy(member)])),
    )
  }

  #members(count: number, copy: () => unknown): unknown {
    this.#left -= count + 1
    return this.#left < 0 ? this.#fail(undefined) : copy()
  }

  #fail(value: unknown): unknown {
    this.hasFailed = true
    return value
  }
}

/** Whether its class is Array, of whichever realm: a tuple is something else. */
function isPlainList(value: unknown[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Array.prototype || (Array.isArray(prototype) && isPlainObject(prototype))
}
