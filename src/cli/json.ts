/** Items as JSON, for programs. */
import { NdArray } from '../index.js'

/**
 * A value on one line. Integers have all their digits; bytes are base64, sets arrays and dicts objects, whatever their keys; what else
 * JSON has no form for, times and decimals among it, is its text, and what stands inside itself is "[Circular]".
 */
export function jsonOf(value: unknown, around: ReadonlySet<object> = new Set()): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (around.has(value)) return '"[Circular]"'
  const inside = new Set([...around, value])
  const list = (items: Iterable<unknown>): string => `[${Array.from(items, (item) => jsonOf(item, inside)).join(',')}]`
  const object = (entries: Iterable<[unknown, unknown]>): string =>
    `{${Array.from(entries, ([key, item]) => `${JSON.stringify(keyOf(key))}:${jsonOf(item, inside)}`).join(',')}}`
  if (value instanceof Uint8Array) return JSON.stringify(keyOf(value))
  if (value instanceof Map) return object(value)
  if (Array.isArray(value) || value instanceof Set) return list(value)
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) return list(value as Iterable<unknown>) // of numbers
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null || value instanceof NdArray)
    return object(Object.entries(value))
  return JSON.stringify(value instanceof Date ? value : String(value))
}

function keyOf(key: unknown): string {
  return key instanceof Uint8Array ? Buffer.from(key).toString('base64') : String(key)
}
