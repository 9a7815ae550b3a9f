/**
 * Values to payloads and back (PROTOCOL.md §6). Payloads are pickles that both sides read as data
 * only. Twin: the codec section of bootstrap.py, and values.py for what is not plain.
 */

import { LoadError } from '../errors.js'
import { Arguments } from './codec/arguments.js'
import { Budget } from './codec/budget.js'
import { headOfList } from './codec/list-head.js'
import type { Builder } from './codec/named.js'
import { builderOf, REFERENCE_MODULE } from './codec/names.js'
import {
  BININT,
  BININT1,
  BININT2,
  BINPUT,
  EMPTY_LIST,
  FRAME,
  LONG_BINPUT,
  MARK,
  MEMOIZE,
  PROTO,
  STOP,
} from './codec/opcodes.js'
import { readPickle } from './codec/pickle-reader.js'
import { PickleWriter } from './codec/pickle-writer.js'
import { type Reference, ValueWriter } from './codec/value-writer.js'
import { MAX_ITEM_BYTES, TooLong, tooLongText } from './too-long.js'

export { type JavaScriptCodec, setJavaScriptCodec } from './codec/js-values.js'
export type { Reference } from './codec/value-writer.js'

/** The pickle protocol that every Python reads: for storing, and until a worker has said which ones it does. */
export const PORTABLE_PROTOCOL: number = 2
/** As deep as Python itself can pickle with its default recursion limit. */
const MAX_DEPTH = 1000

/** What may stand ahead of the first member of a list, with the bytes that each takes. */
const AHEAD = new Map<number, number>([
  [PROTO, 2],
  [FRAME, 9],
  [EMPTY_LIST, 1],
  [MEMOIZE, 1],
  [BINPUT, 2],
  [LONG_BINPUT, 5],
  [MARK, 1],
])

/** How {@link encode} writes. */
export interface EncodeOptions {
  /** What the reader reads, 2 to 5; 2 is read by every Python. */
  readonly protocol: number
  /**
   * What stands for a channel, or for another thing that stays here; undefined for any other object. Asked for class instances
   * and functions only. What it throws becomes the reason of the `DumpError`: the path is added here.
   */
  readonly referenceTo?: (value: object) => Reference | undefined
  /** Containers inside containers; 1000 when absent. */
  readonly maxDepth?: number
  /** Of the whole payload; unlimited when absent. */
  readonly maxBytes?: number
}

/** How {@link decode} reads. */
export interface DecodeOptions {
  /** What a reference stands for, undefined for a kind that is not known; without it, payloads with references are refused. */
  readonly referred?: (kind: string, id: number) => unknown
  /** Containers inside containers; 1000 when absent. */
  readonly maxDepth?: number
  /** Bytes that the value may take, beside those of its payload; 1 GiB when absent. */
  readonly maxMemory?: number | undefined
  /** Whether all that the decoder reads may take so much together. */
  readonly sharesMemory?: boolean | undefined
  /** How many opcodes it may have, the texts of which count as memory, too; unlimited when absent. */
  readonly maxSteps?: number | undefined
}

/** For what nobody has asked for, wherever that is read: it takes some 50 ms. */
export const UNASKED: DecodeOptions = { maxMemory: 3 * 1024 * 1024, maxSteps: 2 ** 18 }

/**
 * The payload of a value, in parts that are to be sent one after the other. Byte arrays of 64 KiB and
 * more are parts of their own and are not copied: leave them unchanged until they are sent.
 *
 * @throws {@link DumpError} for a value that has no form on the wire; it names the path inside the value.
 */
export function encode(value: unknown, options: EncodeOptions): Uint8Array[] {
  if (typeof value === 'number' && (value | 0) === value && !Object.is(value, -0)) return [encodeSmallInteger(value)]
  const out = new PickleWriter(options.protocol)
  const writer = new ValueWriter(out, { referenceTo: options.referenceTo, maxDepth: options.maxDepth ?? MAX_DEPTH })
  try {
    writer.write(value)
    return within(out.finish(), options.maxBytes)
  } catch (error) {
    throw writer.failureOf(error)
  } finally {
    out.release()
  }
}

function within(parts: Uint8Array[], maxBytes = Number.POSITIVE_INFINITY): Uint8Array[] {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  if (size <= maxBytes) return parts
  throw new RangeError(tooLongText(size, maxBytes))
}

/** What counters, sizes and indexes are: without a writer it takes half the time. */
function encodeSmallInteger(value: number): Uint8Array {
  const payload = new Uint8Array(8)
  payload[0] = PROTO
  payload[1] = PORTABLE_PROTOCOL
  payload[2] = BININT
  payload[3] = value // each takes the low eight bits
  payload[4] = value >> 8
  payload[5] = value >> 16
  payload[6] = value >> 24
  payload[7] = STOP
  return payload
}

/**
 * The value of a payload. Large byte arrays are views of it where that keeps little else alive.
 *
 * @throws {@link LoadError} for anything that is not one whole payload, within the limits.
 */
export function decode(payload: Uint8Array | TooLong, options: DecodeOptions = {}): unknown {
  return decoder(options)(payload)
}

/** What can be read of a list: all, or what is ahead of a member that cannot be, and why that one cannot. */
export interface ListRead {
  readonly list: unknown
  readonly failure?: LoadError
}

/** What `decode` makes of a list of members that have nothing to do with each other. */
export function decodeList(
  payload: Uint8Array | TooLong,
  decode: (payload: Uint8Array | TooLong) => unknown,
): ListRead {
  try {
    return { list: decode(payload) }
  } catch (error) {
    if (!(error instanceof LoadError) || error.at === undefined || payload instanceof TooLong) throw error
    const head = headOfList(payload, error.at)
    if (head === undefined) throw error
    try {
      return { list: decode(head), failure: error }
    } catch {
      throw error
    }
  }
}

/** {@link decode} with these options, for whoever reads much. */
export function decoder(options: DecodeOptions): (payload: Uint8Array | TooLong) => unknown {
  const { referred, maxDepth = MAX_DEPTH, maxMemory = MAX_ITEM_BYTES, sharesMemory, maxSteps } = options
  const lookup =
    referred === undefined ? builderOf : (module: string, name: string) => reference(referred, module, name)
  const budget = sharesMemory === true ? new Budget(maxMemory) : undefined
  const readerOptions = { lookup, maxDepth, maxMemory, budget, maxSteps }
  return (payload) => {
    if (payload instanceof TooLong) throw tooLongError(payload)
    return decodeSmallInteger(payload) ?? readPickle(payload, readerOptions)
  }
}

/** Of the item there is only its head, by which it can still be told what it was for. */
function tooLongError(payload: TooLong): LoadError {
  let firstMember: unknown
  try {
    readPickle(payload.head, { lookup: () => undefined, maxDepth: MAX_DEPTH, maxMemory: MAX_ITEM_BYTES, isCut: true })
  } catch (error) {
    if (error instanceof LoadError) firstMember = error.firstMember
  }
  return new LoadError(`cannot load an item: ${payload}`, { firstMember })
}

/** As {@link encodeSmallInteger}, for the forms that Python gives them; undefined for any other payload. */
function decodeSmallInteger(payload: Uint8Array): number | undefined {
  const size = payload.length
  if (size > 8 || payload[0] !== PROTO || payload[1] !== PORTABLE_PROTOCOL || payload[size - 1] !== STOP)
    return undefined
  const code = payload[2]
  if (code === BININT1 && size === 5) return payload[3]
  const low = (payload[3] ?? 0) | ((payload[4] ?? 0) << 8)
  if (code === BININT2 && size === 6) return low
  return code === BININT && size === 8 ? low | ((payload[5] ?? 0) << 16) | ((payload[6] ?? 0) << 24) : undefined
}

/**
 * The number that a list begins with, or the first member of one: nothing else is read. Undefined for a payload that does not begin so, as
 * lists of all Pythons do.
 */
export function firstNumber(payload: Uint8Array): number | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  for (let at = 0; at + 5 < payload.length; ) {
    const code = payload[at] ?? 0
    const width = AHEAD.get(code)
    if (width !== undefined) at += width
    else if (code === BININT1) return payload[at + 1]
    else if (code === BININT2) return view.getUint16(at + 1, true)
    else if (code === BININT) return view.getInt32(at + 1, true)
    else return undefined
  }
  return undefined
}

function reference(
  referred: NonNullable<DecodeOptions['referred']>,
  module: string,
  name: string,
): Builder | undefined {
  if (module !== REFERENCE_MODULE) return builderOf(module, name)
  return (args) => {
    const value = referred(name, new Arguments(name, args).integer(0))
    if (value === undefined)
      throw new LoadError(`cannot load an item: it refers to a ${name}, which means nothing here`)
    return value
  }
}

/**
 * A value as bytes that can be stored: every tendril, in Python or TypeScript, of whatever version reads them.
 *
 * @throws {@link DumpError} for a value that has no form on the wire, and for channels.
 * @example
 * ```ts
 * loads(dumps({ when: new Date(0) })) // { when: new Date(0) }
 * ```
 */
export function dumps(value: unknown): Uint8Array {
  const parts = encode(value, { protocol: PORTABLE_PROTOCOL })
  const [first] = parts
  return parts.length === 1 && first !== undefined ? first : join(parts)
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/**
 * The value that {@link dumps} stored, or that Python's side did.
 *
 * @throws {@link LoadError} for anything else.
 */
export function loads(bytes: Uint8Array): unknown {
  return decode(bytes)
}
