/** Where a Python dict and a JavaScript object, map or set differ, said once for the reader and the writer. */

import { LoadError } from '../../errors.js'
import { FrozenSet, Tuple } from '../values.js'

/** An object that is nothing but its properties, also one without a prototype or of another realm. */
export function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  const isRoot = typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null
  return isRoot && Object.hasOwn(prototype, 'isPrototypeOf')
}

/** What the reader makes of a dict with string keys. */
export function isPlainDict(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Why a dict cannot be read that would lose a member: two NaNs, a surrogate pair and the character that it stands for, text of two classes. */
export const ONE_KEY = 'two keys of a dict are one key in JavaScript'

/** Sets a property of its own, whatever its name is. */
export function setProperty(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

export function toMap(object: Record<string, unknown>): Map<unknown, unknown> {
  return new Map(Object.entries(object))
}

/** Refuses what Python would not hash; members of a tuple are not looked into. */
export function addKey(key: unknown): void {
  if (typeof key !== 'object' || key === null) return
  const isMutable = Array.isArray(key)
    ? !(key instanceof Tuple)
    : key instanceof Map || (key instanceof Set && !(key instanceof FrozenSet)) || isPlainDict(key)
  if (isMutable) throw new LoadError('cannot load an item: a key of a dict or a member of a set is not hashable')
}
