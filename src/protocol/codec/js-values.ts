/**
 * Where the codec for values that only JavaScript has is plugged in. The protocol layer knows none:
 * `src/gateways/superjson.ts` sets one.
 */

import { LoadError } from '../../errors.js'
import { JSValue } from '../values.js'

/** Turns an object into a document that Python can hold and send back. */
export interface JavaScriptCodec {
  /** The document, or undefined when the codec does not carry this kind of object. */
  stringify(value: object): string | undefined
  /** @throws when the document is malformed, or asks for what may not be made. */
  parse(document: string, bounds: DocumentBounds): unknown
}

/** Those of the payload that a document is in. */
export interface DocumentBounds {
  /** Counts what is made, in bytes. @throws {@link LoadError} when that is more than may be. */
  spend(bytes: number): void
  /** The value of a payload inside the document: what that takes is counted, too. */
  loads(payload: Uint8Array): unknown
}

let codec: JavaScriptCodec | undefined

/** Sets the codec for JavaScript's own values; without one they cannot be sent, and documents arrive as {@link JSValue}. */
export function setJavaScriptCodec(replacement: JavaScriptCodec | undefined): void {
  codec = replacement
}

/** The document of an object; undefined when it has none. */
export function toDocument(value: object): string | undefined {
  return value instanceof JSValue ? value.document : codec?.stringify(value)
}

export function fromDocument(document: string, bounds: DocumentBounds): unknown {
  if (codec === undefined) return new JSValue(document)
  try {
    const value = codec.parse(document, bounds)
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    if (cause instanceof LoadError) throw cause
    throw new LoadError(`cannot load an item: a JSValue is malformed: ${String(cause)}`, { cause })
  }
  throw new LoadError('cannot load an item: a JSValue is not an object')
}
