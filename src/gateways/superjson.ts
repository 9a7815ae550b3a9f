/**
 * Values that only JavaScript has (URL, RegExp, Error, registered classes) as superjson documents,
 * which Python holds as a `JSValue` and may send back. superjson is loaded when the first one comes.
 */

import { createRequire } from 'node:module'
import { types } from 'node:util'
import type { SuperJSON, SuperJSONResult } from 'superjson'
import { dumps, loads, setJavaScriptCodec } from '../protocol/codec.js'
import { isBranded } from '../protocol/realms.js'
import { isError, isErrorFields, markErrorFields, revive } from './js-errors.js'
import { Closed, checkPattern, GraphCopy } from './js-graph.js'
import { isUrl } from './urls.js'

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

/** Errors and the like are shallow, and superjson recurses. */
const MAX_DEPTH = 200
const typedArrays = [
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]

const pythonValue: JSValueType<object> = {
  name: 'PythonValue', // a tuple, a Decimal: as on the wire
  isApplicable: (value): value is object => hasFields(value) && isBranded(value),
  serialize: (value) => toBase64(dumps(value)),
  deserialize: (text) => loads(fromBase64(String(text))) as object, // a float is a number by then, which does as well
}
const registered: { readonly isApplicable: (value: unknown) => boolean }[] = []
let instance: SuperJSON | undefined
/** Where modules of its kind cannot be required (--no-experimental-require-module), it is there from the start. */
const ahead = process.features.require_module === false ? await import('superjson') : undefined

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
  registered.push(type)
  registerClosed(superjson(), type)
}

function registerClosed<T extends object>(codec: SuperJSON, type: JSValueType<T>): void {
  codec.registerCustom<unknown, JsonValue>(
    {
      isApplicable: (closed): closed is Closed => closed instanceof Closed && closed.type === type,
      serialize: (closed) =>
        closed instanceof Closed && type.isApplicable(closed.value) ? type.serialize(closed.value) : null,
      deserialize: (json) => type.deserialize(json),
    },
    type.name,
  )
}

function isCarried(value: unknown): boolean {
  return (
    isUrl(value) ||
    types.isRegExp(value) ||
    isError(value) ||
    registered.some(({ isApplicable }) => isApplicable(value))
  )
}

function typeOf(value: object): object | undefined {
  return [...registered, pythonValue].find(({ isApplicable }) => isApplicable(value))
}

/** An instance of our own: what others register with the default one is none of the workers' business. */
function superjson(): SuperJSON {
  if (instance === undefined) {
    const loaded: typeof import('superjson') = ahead ?? createRequire(import.meta.url)('superjson')
    instance = new loaded.SuperJSON({ dedupe: true })
    registerBuiltins(instance)
  }
  return instance
}

function registerBuiltins(codec: SuperJSON): void {
  codec.registerCustom<RegExp, string[]>(
    {
      isApplicable: types.isRegExp,
      serialize: ({ source, flags }) => [source, flags],
      deserialize: ([source = '', flags = '']) => makeRegExp(source, flags),
    },
    'JSRegExp',
  )
  // superjson writes a Buffer in a form that it cannot read, and other bytes as lists of numbers.
  codec.registerCustom<Uint8Array, string>(
    { isApplicable: (value) => value instanceof Uint8Array, serialize: toBase64, deserialize: fromBase64 },
    'bytes',
  )
  codec.registerCustom<ArrayBufferView, string[]>(
    {
      isApplicable: ArrayBuffer.isView,
      serialize: (array) => [Object.prototype.toString.call(array).slice(8, -1), toBase64(array)],
      deserialize: ([kind = '', text = '']) => makeTypedArray(kind, text),
    },
    'JSArray',
  )
  codec.registerCustom<object, JsonValue>(
    { isApplicable: isErrorFields, serialize: (fields) => fields as JsonValue, deserialize: readErrorFields }, // superjson walks what it is given, whatever its types say
    'JSError',
  )
  registerClosed(codec, pythonValue)
}

function toBase64(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'base64'))
}

function makeTypedArray(kind: string, text: string): ArrayBufferView {
  const Class = typedArrays.find(({ name }) => name === kind)
  if (Class === undefined) throw new Error(`it holds a ${kind}, which is no typed array`)
  return new Class(fromBase64(text).buffer)
}

function readErrorFields(fields: JsonValue): object {
  if (!hasFields(fields)) throw new Error('it holds an error without fields')
  return markErrorFields(fields)
}

function makeRegExp(source: string, flags: string): RegExp {
  checkPattern(source)
  return new RegExp(source, flags)
}

function stringify(value: object): string {
  const document = superjson().serialize(new GraphCopy(typeOf).of(value))
  checkDepth(document, MAX_DEPTH) // what is deeper could not come back
  return JSON.stringify(document)
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
  return revive(superjson().deserialize(checked, { inPlace: true }))
}

function hasFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function checkDepth(value: unknown, left: number): void {
  if (!hasFields(value)) return
  if (left === 0) throw new Error(`it is nested deeper than ${MAX_DEPTH}.`)
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
