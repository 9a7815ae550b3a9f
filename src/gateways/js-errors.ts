/**
 * Errors in superjson documents. superjson looks only into objects that are nothing but their properties: so an error is one of those on both ways,
 * its fields, until all that refers to it is in place. Then `revive` makes errors of them.
 */
import { types } from 'node:util'
import { isBranded } from '../protocol/realms.js'

const marked = new WeakSet<object>()
const errorClasses = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]

/** An error, also of another realm. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value)
}

/** Whether they are the fields of an error. */
export function isErrorFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && marked.has(value)
}

/** Has `fields` stand for an error. */
export function markErrorFields<T extends object>(fields: T): T {
  marked.add(fields)
  return fields
}

/** What of an error is worth a journey; the stack is of this process and stays here. */
export function errorFields(error: Error): Record<string, unknown> {
  const cause = 'cause' in error ? { cause: error.cause } : {}
  const isAggregate = 'errors' in error && Array.isArray(error.errors) && !Object.keys(error).includes('errors')
  return {
    name: error.name,
    message: error.message,
    ...cause,
    ...(isAggregate ? { errors: error.errors } : {}),
    own: { ...error },
  }
}

/** Makes errors of all fields of errors in what superjson has read; every reference to one is the same error then. */
export function revive(value: unknown, seen: Map<object, unknown> = new Map()): unknown {
  if (typeof value !== 'object' || value === null || isBranded(value)) return value
  if (seen.has(value)) return seen.get(value)
  if (isErrorFields(value)) return makeError(value, seen)
  seen.set(value, value)
  if (value instanceof Map) {
    const entries = [...value]
    value.clear()
    for (const [key, member] of entries) value.set(revive(key, seen), revive(member, seen))
  } else if (value instanceof Set) {
    const members = [...value]
    value.clear()
    for (const member of members) value.add(revive(member, seen))
  } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const [key, member] of Object.entries(value)) define(value, key, revive(member, seen), true)
  }
  return value
}

function makeError(fields: Record<string, unknown>, seen: Map<object, unknown>): Error {
  const { name, message, errors, own } = fields
  const Class = errorClasses.find((candidate) => candidate.name === name) ?? Error
  const error = Array.isArray(errors) ? new AggregateError([], String(message)) : new Class(String(message))
  seen.set(fields, error)
  if (error.name !== name) define(error, 'name', String(name), false)
  if ('cause' in fields) define(error, 'cause', revive(fields['cause'], seen), false)
  if (Array.isArray(errors)) define(error, 'errors', revive(errors, seen), false)
  for (const [key, value] of Object.entries(own ?? {})) define(error, key, revive(value, seen), true)
  define(error, 'stack', `${error.name}: ${error.message}`, false)
  return error
}

function define(target: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true })
}
