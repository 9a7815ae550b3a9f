/**
 * Python tells keys apart by equality, JavaScript by identity. What Python could not hash, or would
 * take for one key where JavaScript has two, is found before it is sent: neither may get lost.
 */

import { isBytes, isMap, isSet } from '../realms.js'
import { FrozenSet, Tuple } from '../values.js'
import { isPlainObject } from './containers.js'
import { valueTypeOf } from './value-types.js'

/** The first key that cannot be sent, and why. */
export interface KeyProblem {
  readonly key: unknown
  readonly reason: string
}

/** Looks through the keys of a map or the members of a set; undefined when all can be sent. */
export function findKeyProblem(keys: Iterable<unknown>): KeyProblem | undefined {
  const seen = new Set<unknown>()
  for (const key of keys) {
    if (typeof key === 'string') continue // equal only to itself, also in Python
    if (!isHashable(key)) return { key, reason: 'Python cannot hash it; a Tuple or a FrozenSet it can' }
    const identity = identityOf(key)
    if (seen.has(identity)) return { key, reason: 'Python takes two of these keys for equal' }
    seen.add(identity)
  }
  return undefined
}

function isHashable(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return true
  if (key instanceof Tuple || key instanceof FrozenSet) return [...key].every(isHashable)
  const isMutable = Array.isArray(key) || isMap(key) || isSet(key) || isPlainObject(key)
  return !isMutable && (valueTypeOf(key) !== undefined || isBytes(key) || !ArrayBuffer.isView(key))
}

/** Equal for keys that are equal in Python: `1`, `1n` and `true` are. */
function identityOf(key: unknown): unknown {
  switch (typeof key) {
    case 'undefined':
      return null
    case 'boolean':
      return Number(key)
    case 'bigint':
      return asNumber(key) ?? key
    case 'object':
      return key === null ? null : textOf(key)
    default:
      return key
  }
}

/** The number that equals an integer, if there is one: beyond some 300 digits there is only Infinity. */
function asNumber(key: bigint): number | undefined {
  const number = Number(key)
  return Number.isFinite(number) && BigInt(number) === key ? number : undefined
}

/** Of a member of a tuple: text and number of the same digits differ. */
function memberText(member: unknown): string {
  const identity = identityOf(member)
  return JSON.stringify(`${typeof identity} ${String(identity)}`)
}

function textOf(key: object): unknown {
  if (isBytes(key)) return `bytes ${key.join()}`
  if (key instanceof Tuple) return `tuple ${[...key].map(memberText).join()}`
  const type = valueTypeOf(key)
  return type === undefined ? key : `${type.name} ${String(type.dump(key))}`
}
