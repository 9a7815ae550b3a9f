/**
 * What names a gateway, `key=value//key=value` or an object, and its parsed form. What a key means is a row of `xspec-keys.ts`; here are
 * `env:`, the count before a spec, and the promise that `toString` gives the text back.
 */
import { XSpecError } from '../errors.js'
import {
  absentValues,
  decoded,
  propertyOf,
  readValue,
  shown,
  suggestionFor,
  type XSpecObject,
  type XSpecValues,
  xspecKeys,
} from './xspec-keys.js'
import { formatObject } from './xspec-object.js'
import { characterFault, type Segment, segmentsOf, splitSegment } from './xspec-text.js'

// More gateways than one controller holds: `100000000*popen` is a slip, and would fill the memory with text.
const maxExpanded = 10_000

// Threads are what a system gives by the hundred, not by the ten thousand.
const maxThreads = 1000

// By which another install of this package knows one.
const brand = Symbol.for('tendril.xspec')

/** Whatever a spec may be given as: its text, parsed or as an object of keys. */
export type XSpecLike = string | XSpec | XSpecObject

export interface XSpec extends XSpecValues {}

/**
 * What a gateway is to be: parsed, checked, and the same text again with `String(spec)`. That is the one text with the values of variables:
 * JSON, `util.inspect` and errors show `env:NAME=…`.
 *
 * It has one property a key: `spec.python`, `spec.dontWriteBytecode`, `spec.timeout` (milliseconds).
 *
 * @example
 * ```ts
 * const spec = XSpec.parse('popen//python=python3.12//nice=5//env:LANG=C')
 * spec.python // 'python3.12'
 * spec.nice // 5
 * spec.env // { LANG: 'C' }
 * ```
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor sets every property of XSpecValues
export class XSpec {
  readonly #text: string
  readonly #count: number
  /** The name of the gateway. The one property that changes: `group.allocateId` fills it in when the spec has none. */
  id: string | undefined
  /** The variables set for the interpreter, `env:NAME=value` each. */
  readonly env: Readonly<Record<string, string>>

  private constructor(text: string) {
    const { count, rest } = splitCount(text)
    this.#text = text
    this.#count = count ?? 1
    const { values, env } = readKeys(rest)
    checkThreads(values, shown(text))
    Object.assign(this, values)
    this.env = env
  }

  /**
   * Reads a spec such as `popen//python=python3.12//nice=5`. In `key*=value` the value is percent-encoded UTF-8.
   *
   * @throws {@link XSpecError} for an unknown key (the error names the nearest one), one that is given twice
   *   or begins with `_`, a value that the key does not take, and for nothing between two separators.
   * @example
   * ```ts
   * XSpec.parse('ssh=-p 5000 user@host//chdir=cache').ssh // '-p 5000 user@host'
   * XSpec.parse('popen//env:SLASHES*=a%2F%2Fb').env // { SLASHES: 'a//b' }
   * ```
   */
  static parse(text: string): XSpec {
    return new XSpec(text)
  }

  /**
   * The spec that something is. One that is an XSpec already stays itself.
   *
   * @param spec - Text, or an object: `{ ssh: host, python: path, env: { NAME: text } }`, whose values are values, whatever is in them. Only its own
   *   properties count, and those that are `undefined` are as good as absent.
   * @throws {@link XSpecError} as `parse` does, and for a value that cannot be the one of its key.
   * @example
   * ```ts
   * String(XSpec.from({ ssh: 'web1', env: { GREETING: 'a//b' } })) // 'ssh=web1//env:GREETING*=a%2F%2Fb'
   * ```
   */
  static from(spec: XSpecLike): XSpec {
    if (spec instanceof XSpec) return spec
    if (typeof spec === 'string') return new XSpec(spec)
    return new XSpec(typeof spec === 'object' && spec !== null && brand in spec ? String(spec) : formatObject(spec))
  }

  /**
   * Writes a spec with a count as that many specs; the specs themselves are not read.
   *
   * @throws {@link XSpecError} when the count is 0 or above 10000, or no spec follows it.
   * @example
   * ```ts
   * XSpec.expand('2*popen//nice=5') // ['popen//nice=5', 'popen//nice=5']
   * XSpec.expand('popen') // ['popen']
   * ```
   */
  static expand(text: string): string[] {
    const { count, rest } = splitCount(text)
    return count === undefined ? [text] : new Array<string>(count).fill(rest)
  }

  /** How many gateways it stands for: 3 of `3*popen`. */
  get count(): number {
    return this.#count
  }

  /** The text for people: without the values of variables, which may be secrets. */
  get shown(): string {
    return shown(this.#text)
  }

  /** The text that was parsed, unchanged; of an object, the text that stands for it. It has the values of variables. */
  toString(): string {
    return this.#text
  }

  /** As it is shown: reports are read by others. */
  toJSON(): string {
    return this.shown
  }
}

Object.defineProperty(XSpec.prototype, brand, { value: true })
Object.defineProperty(XSpec.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: XSpec): string {
    return `XSpec(${this.shown})`
  },
})

function splitCount(text: string): { count: number | undefined; rest: string } {
  const [, count, rest] = /^(\d+)\*(.*)$/s.exec(text) ?? []
  if (count === undefined || rest === undefined) return { count: undefined, rest: text }
  if (rest === '') throw new XSpecError(`no spec follows the count in "${text}"; write "${count}*popen"`)
  if (Number(count) < 1 || Number(count) > maxExpanded) {
    throw new XSpecError(`the count in "${shown(text)}" must be from 1 to ${maxExpanded}`)
  }
  return { count: Number(count), rest }
}

function readKeys(text: string): { values: Record<string, unknown>; env: Record<string, string> } {
  if (text === '') throw new XSpecError('an xspec cannot be empty; write "popen" for a Python on this machine')
  const spec = shown(text)
  const fault = characterFault(text)
  if (fault !== undefined) throw new XSpecError(`${JSON.stringify(spec)} ${fault}`)
  const values = absentValues()
  const env = new Map<string, string>()
  const seen = new Set<string>()
  let before: string | undefined
  for (const segment of segmentsOf(text).map(splitSegment)) {
    const { key } = segment
    checkKey(key, { seen, before, spec })
    if (key.startsWith('env:')) env.set(key.slice('env:'.length), readVariable(segment, spec))
    else values[propertyOf(key)] = readValue(segment, spec)
    before = key
  }
  return { values, env: Object.fromEntries(env) }
}

function checkThreads({ threads, execmodel }: Record<string, unknown>, spec: string): void {
  if (threads === undefined) return
  if (!(Number(threads) >= 1 && Number(threads) <= maxThreads)) {
    throw new XSpecError(`"threads" must be from 1 to ${maxThreads}, not "${threads}", in "${spec}"`)
  }
  if (execmodel === 'main_thread_only' && threads !== 1) {
    throw new XSpecError(`"execmodel=main_thread_only" is one thread for everything; leave "threads" out of "${spec}"`)
  }
}

/** @param before - The key before it. */
function checkKey(
  key: string,
  { seen, before, spec }: { seen: Set<string>; before: string | undefined; spec: string },
): void {
  if (key === '') throw new XSpecError(`a key is missing in "${spec}"; keys are separated by one "//"`)
  if (before?.startsWith('env:') === true && !key.startsWith('env:') && !xspecKeys.has(key)) {
    // It may be the rest of a secret, and is not told.
    throw new XSpecError(
      `no key follows "${before}" in "${spec}": a value with "//" in it is written "${before}*=", percent-encoded; ${suggestionFor(key)}`,
    )
  }
  if (key.startsWith('_')) throw new XSpecError(`key "${key}" in "${spec}" begins with "_"; such names are not keys`)
  if (key.endsWith('*')) throw new XSpecError(`key "${key}" in "${spec}" ends with "*"; such names are not keys`)
  if (seen.has(key)) throw new XSpecError(`duplicate key "${key}" in "${spec}"; give it once`)
  seen.add(key)
}

function readVariable({ key, value, isEncoded }: Segment, spec: string): string {
  if (key === 'env:') throw new XSpecError(`"env:" names no variable in "${spec}"; write "env:NAME=value"`)
  if (value === undefined) throw new XSpecError(`"${key}" has no value in "${spec}"; write "${key}=value"`)
  return decoded(key, value, isEncoded, spec)
}
