/**
 * What a superjson document is made of: a copy of a value in which everything is of a form that superjson knows and keeps. It would write
 * what it does not know as `{}`; nothing may get lost or become something else like that, so what has no form is refused here.
 */
import { types } from 'node:util'
import { isPlainObject, setProperty } from '../protocol/codec/containers.js'
import { isArrayBuffer, isDate, isMap, isSet } from '../protocol/realms.js'
import { errorFields, isError, markErrorFields } from './js-errors.js'
import { isUrl } from './urls.js'

/** Longer patterns are refused: what comes back from a worker must not choose how long a match takes. */
const MAX_PATTERN = 1000
const MAX_DIGITS = 4300
const MOST_DIGITS = 10n ** BigInt(MAX_DIGITS)
/** DNS has 253. */
const MAX_HOST = 300

/** An object that superjson is to look no further into, whatever it extends: it would take a string that stands for a Map for its members. */
export class Closed {
  readonly type: object
  readonly value: object

  /** @param type - Has superjson know how it is written. */
  constructor(type: object, value: object) {
    this.type = type
    this.value = value
  }
}

export function checkPattern(source: string): void {
  if (source.length > MAX_PATTERN) throw new Error(`a regular expression is longer than ${MAX_PATTERN} characters.`)
}

/** Python's own limit for ints as text, which the codec has, too: longer ones take time with the square of that. */
export function checkDigits(text: string): string {
  if (text.length > MAX_DIGITS) throw tooManyDigits()
  return text
}

function tooManyDigits(): Error {
  return new Error(`an int has more than ${MAX_DIGITS} digits.`)
}

/** A host that is not ASCII takes time with the square of its length. */
export function checkHost(url: string): string {
  const text = url.replace(/[\t\n\r]/g, '')
  const host = /^[\0- ]*(?:https?|wss?|ftp|file):[/\\]*([^/\\?#]*)/i.exec(text)?.[1] ?? ''
  if (host.length - host.lastIndexOf('@') > MAX_HOST) throw new Error(`a host is longer than ${MAX_HOST} characters.`)
  return url
}

/** Copies one value; what it refers to twice, or that refers to itself, does so in the copy. */
export class GraphCopy {
  readonly #typeOf: (value: object) => object | undefined
  readonly #copies = new Map<object, unknown>()

  /** @param typeOf - The type of what superjson looks no further into. */
  constructor(typeOf: (value: object) => object | undefined) {
    this.#typeOf = typeOf
  }

  /** @throws Error for what has no form in a document. */
  of(value: unknown): unknown {
    if (typeof value === 'function' || typeof value === 'symbol') throw new Error(`a ${typeof value} has no wire type.`)
    // Compared, not written: that takes time with the square of its length. A minus counts as a digit, as when it is read.
    if (typeof value === 'bigint' && (value >= MOST_DIGITS || value <= -MOST_DIGITS / 10n)) throw tooManyDigits()
    if (typeof value !== 'object' || value === null) return value
    if (this.#copies.has(value)) return this.#copies.get(value)
    const type = this.#typeOf(value)
    if (type !== undefined) return this.#keep(value, new Closed(type, value))
    return this.#container(value) ?? this.#keep(value, leaf(value))
  }

  #keep<T>(original: object, copy: T): T {
    this.#copies.set(original, copy)
    return copy
  }

  #container(value: object): object | undefined {
    if (isError(value)) {
      const fields = this.#keep(value, markErrorFields(errorFields(value)))
      for (const [name, member] of Object.entries(fields)) fields[name] = this.of(member)
      return fields
    }
    if (isMap(value)) {
      const copy = this.#keep(value, new Map())
      for (const [key, member] of Map.prototype.entries.call(value)) copy.set(this.of(key), this.of(member))
      return copy
    }
    if (isSet(value)) {
      const copy = this.#keep(value, new Set())
      for (const member of Set.prototype.values.call(value)) copy.add(this.of(member))
      return copy
    }
    if (Array.isArray(value)) {
      const copy = this.#keep<unknown[]>(value, [])
      for (const member of value) copy.push(this.of(member))
      return copy
    }
    if (!isPlainObject(value)) return undefined
    const copy = this.#keep<Record<string, unknown>>(value, {})
    for (const [key, member] of Object.entries(value)) setProperty(copy, key, this.of(member))
    return copy
  }
}

/** The copy of what nothing is looked for in. */
function leaf(value: object): object {
  if (types.isRegExp(value)) {
    checkPattern(value.source)
    return value
  }
  if (isDate(value)) {
    const time = Date.prototype.getTime.call(value)
    if (Number.isNaN(time)) throw new Error('an invalid date has no wire type.')
    return new Date(time)
  }
  if (isUrl(value)) return new URL(value.href)
  if (isArrayBuffer(value)) return new Uint8Array(value)
  if (types.isUint8Array(value) || types.isDataView(value))
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (ArrayBuffer.isView(value)) return value
  const name: unknown = value.constructor?.name ?? 'an object'
  throw new Error(`${String(name)} has no wire type inside of what superjson carries.`)
}
