/**
 * Values that only JavaScript has (URL, RegExp, Error, registered classes) as superjson documents,
 * which Python holds as a `JSValue` and may send back. superjson is loaded when the first one comes.
 */

import { createRequire } from 'node:module'
import { types } from 'node:util'
import type { SuperJSON } from 'superjson'
import type { DocumentBounds } from '../protocol/codec/js-values.js'
import { dumps, loads, setJavaScriptCodec } from '../protocol/codec.js'
import { isBranded } from '../protocol/realms.js'
import { type Custom, checkDepth, readDocument } from './js-document.js'
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

// What JSON makes costs so many bytes, with what is made of it again.
const OBJECT_COST = 128
const MEMBER_COST = 16
const [OBJECT, LIST, COMMA] = [0x7b, 0x5b, 0x2c]
const PYTHON_VALUE = 'PythonValue'
/** Makes values of what superjson has written under a name of ours, or of a registered class. */
const makers = new Map<unknown, (json: unknown) => unknown>()
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
  name: PYTHON_VALUE, // a tuple, a Decimal: as on the wire
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
    parse,
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

function register<I, O extends JsonValue>(
  codec: SuperJSON,
  transformer: {
    readonly isApplicable: (value: unknown) => value is I
    readonly serialize: (value: I) => O
    readonly deserialize: (json: O) => I
  },
  name: string,
): void {
  codec.registerCustom<I, O>(transformer, name)
  makers.set(name, (json) => transformer.deserialize(json as O)) // which looks at what it is
}

function registerClosed<T extends object>(codec: SuperJSON, type: JSValueType<T>): void {
  register<unknown, JsonValue>(
    codec,
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
  register<RegExp, string[]>(
    codec,
    {
      isApplicable: types.isRegExp,
      serialize: ({ source, flags }) => [source, flags],
      deserialize: ([source = '', flags = '']) => makeRegExp(source, flags),
    },
    'JSRegExp',
  )
  // superjson writes a Buffer in a form that it cannot read, and other bytes as lists of numbers.
  register<Uint8Array, string>(
    codec,
    { isApplicable: (value) => value instanceof Uint8Array, serialize: toBase64, deserialize: fromBase64 },
    'bytes',
  )
  register<ArrayBufferView, string[]>(
    codec,
    {
      isApplicable: ArrayBuffer.isView,
      serialize: (array) => [Object.prototype.toString.call(array).slice(8, -1), toBase64(array)],
      deserialize: ([kind = '', text = '']) => makeTypedArray(kind, text),
    },
    'JSArray',
  )
  register<object, JsonValue>(
    codec,
    { isApplicable: isErrorFields, serialize: (fields) => fields as JsonValue, deserialize: readErrorFields }, // superjson walks what it is given, whatever its types say
    'JSError',
  )
  registerClosed(codec, pythonValue)
}

function toBase64(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(String(text), 'base64')) // whatever the document has in its place
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
  const pattern = String(source) // whatever the document has in its place
  checkPattern(pattern)
  return new RegExp(pattern, String(flags).slice(0, 10))
}

function stringify(value: object): string {
  const document = superjson().serialize(new GraphCopy(typeOf).of(value))
  checkDepth(document) // what is deeper could not come back
  return JSON.stringify(document)
}

function parse(document: string, { spend, loads }: DocumentBounds): unknown {
  spend(costOf(document))
  superjson() // which fills `makers`
  const custom: Custom = (name) =>
    name === PYTHON_VALUE ? (text) => loads(fromBase64(String(text))) : makers.get(name)
  return revive(readDocument(document, custom))
}

function hasFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** What its objects, lists and members take, at least: they are told by the characters that they begin with. */
function costOf(document: string): number {
  let cost = 0
  for (let at = 0; at < document.length; at++) {
    const code = document.charCodeAt(at)
    if (code === OBJECT || code === LIST) cost += OBJECT_COST
    else if (code === COMMA) cost += MEMBER_COST
  }
  return cost
}
