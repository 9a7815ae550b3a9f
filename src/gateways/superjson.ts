/**
 * Values that only JavaScript has (URL, RegExp, Error, registered classes) as superjson documents,
 * which Python holds as a `JSValue` and may send back. superjson is loaded when the first one comes.
 */

import { createRequire } from 'node:module'
import type { SuperJSON, SuperJSONResult } from 'superjson'
import { setJavaScriptCodec } from '../protocol/codec.js'

/** How instances of a class of yours travel; what {@link registerJSValue} takes. */
export interface JSValueType<T extends object> {
  /** Names the class in documents: the same wherever they are read. */
  readonly name: string
  readonly isApplicable: (value: unknown) => value is T
  /** Plain JSON: superjson looks no further into it. */
  readonly serialize: (value: T) => JsonValue
  /** Gets what another side made of the document, so it must check it. */
  readonly deserialize: (json: JsonValue) => T
}

/** What `JSON.parse` gives. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }

/** Longer patterns are refused: what comes back from a worker must not choose how long a match takes. */
const MAX_PATTERN = 1000
/** Errors and the like are shallow, and superjson recurses. */
const MAX_DEPTH = 200

const registered: ((value: unknown) => boolean)[] = []
let instance: SuperJSON | undefined

/** Lets URLs, regular expressions, errors and registered classes be sent. Costs nothing until one is. */
export function useSuperjson(): void {
  setJavaScriptCodec({
    stringify: (value) => (isCarried(value) ? stringify(value) : undefined),
    parse: (document) => parse(document),
  })
}

/**
 * Lets instances of a class be sent: Python holds them, and they become instances again when they return.
 *
 * @example
 * ```ts
 * registerJSValue({
 *   name: 'Point',
 *   isApplicable: (value) => value instanceof Point,
 *   serialize: ({ x, y }) => ({ x, y }),
 *   deserialize: (json) => Point.from(json),
 * })
 * ```
 */
export function registerJSValue<T extends object>(type: JSValueType<T>): void {
  registered.push(type.isApplicable)
  const { name, isApplicable, serialize, deserialize } = type
  superjson().registerCustom<T, JsonValue>({ isApplicable, serialize: (value) => serialize(value), deserialize }, name)
}

function isCarried(value: unknown): boolean {
  const isKnown = value instanceof URL || value instanceof RegExp || value instanceof Error
  return isKnown || registered.some((isApplicable) => isApplicable(value))
}

/** An instance of our own: what others register with the default one is none of the workers' business. */
function superjson(): SuperJSON {
  if (instance === undefined) {
    const loaded: typeof import('superjson') = createRequire(import.meta.url)('superjson')
    instance = new loaded.SuperJSON({ dedupe: true })
    registerBuiltins(instance)
  }
  return instance
}

function registerBuiltins(codec: SuperJSON): void {
  codec.registerCustom<RegExp, string[]>(
    {
      isApplicable: (value) => value instanceof RegExp,
      serialize: ({ source, flags }) => [source, flags],
      deserialize: ([source = '', flags = '']) => makeRegExp(source, flags),
    },
    'JSRegExp',
  )
  // superjson writes a Buffer in a form that it cannot read, and other bytes as lists of numbers.
  codec.registerCustom<Uint8Array, string>(
    {
      isApplicable: (value) => value instanceof Uint8Array,
      serialize: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
      deserialize: (text) => new Uint8Array(Buffer.from(text, 'base64')),
    },
    'bytes',
  )
  codec.registerCustom<Error, JsonValue>(
    {
      isApplicable: (value) => value instanceof Error,
      serialize: (error) => errorFields(error) as JsonValue, // superjson walks what an error gives, whatever its types say
      deserialize: makeError,
    },
    'JSError',
  )
}

function makeRegExp(source: string, flags: string): RegExp {
  if (source.length > MAX_PATTERN) throw new Error(`a regular expression is longer than ${MAX_PATTERN} characters`)
  return new RegExp(source, flags)
}

const errorClasses = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]

/** What of an error is worth a journey; the stack is of this process and stays here. */
function errorFields(error: Error): Record<string, unknown> {
  const cause = 'cause' in error ? { cause: error.cause } : {}
  const errors = error instanceof AggregateError ? { errors: error.errors } : {}
  return { name: error.name, message: error.message, ...cause, ...errors, own: { ...error } }
}

function makeError(fields: unknown): Error {
  if (typeof fields !== 'object' || fields === null) throw new Error('it holds an error without fields')
  const { name, message, errors, own }: { name?: unknown; message?: unknown; errors?: unknown; own?: unknown } = fields
  const Class = errorClasses.find((candidate) => candidate.name === name) ?? Error
  const options = 'cause' in fields ? { cause: fields.cause } : {}
  const error = Array.isArray(errors)
    ? new AggregateError(errors, String(message), options)
    : new Class(String(message), options)
  if (error.name !== name) define(error, 'name', String(name), false)
  for (const [key, value] of Object.entries(own ?? {})) define(error, key, value, true)
  define(error, 'stack', `${error.name}: ${error.message}`, false)
  return error
}

function define(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true })
}

function stringify(value: object): string {
  assertCarried(value, new Set())
  return superjson().stringify(value)
}

/** superjson writes what it does not know as `{}`; nothing may get lost like that. */
function assertCarried(value: unknown, seen: Set<unknown>): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw new Error(`a ${typeof value} has no wire type.`)
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  for (const member of membersOf(value)) assertCarried(member, seen)
}

function membersOf(value: object): Iterable<unknown> {
  if (value instanceof Error) return Object.values(errorFields(value))
  if (value instanceof Map) return [...value.keys(), ...value.values()]
  if (value instanceof Set || Array.isArray(value)) return value
  if (Object.getPrototypeOf(value) === Object.prototype) return Object.values(value)
  const isKnown = isCarried(value) || value instanceof Date || ArrayBuffer.isView(value)
  if (!isKnown)
    throw new Error(`${value.constructor?.name ?? 'an object'} has no wire type inside of what superjson carries.`)
  return []
}

function parse(document: string): unknown {
  const result: unknown = JSON.parse(document)
  // What was sent is an object that superjson annotates at its root; anything else did not come from here.
  if (!hasFields(result) || !hasFields(result['meta']) || !Array.isArray(result['meta']['values'])) {
    throw new Error('it is not the document of a value that was sent')
  }
  checkDepth(result, MAX_DEPTH)
  checkAnnotations(result['meta']['values'])
  const checked: SuperJSONResult = { json: result['json'] as JsonValue, meta: result['meta'] } // it is from JSON.parse
  return superjson().deserialize(checked, { inPlace: true })
}

function hasFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function checkDepth(value: unknown, left: number): void {
  if (!hasFields(value)) return
  if (left === 0) throw new Error(`it is nested deeper than ${MAX_DEPTH}`)
  for (const member of Object.values(value)) checkDepth(member, left - 1)
}

/** Annotations whose values are ours to make, within limits (regexp, Error), or that nobody registers here. */
const refused = new Set<unknown>(['regexp', 'Error', 'class', 'symbol'])

/** A node is `[annotation, children]` or, where nothing is annotated, the children by their paths. */
function checkAnnotations(tree: unknown): void {
  if (typeof tree !== 'object' || tree === null) return
  const [annotation, children]: unknown[] = Array.isArray(tree) ? tree : [undefined, tree]
  const kind: unknown = Array.isArray(annotation) ? annotation[0] : annotation
  if (refused.has(kind)) throw new Error(`it holds a ${String(kind)} that was not sent as one`)
  for (const child of Object.values(children ?? {})) checkAnnotations(child)
}
