/**
 * The text that names a gateway, `key=value//key=value`, and its parsed form. What a key means is a row of
 * `xspec-keys.ts`; here are only the separators, `env:` and the promise that `toString` gives the text back.
 */
import { XSpecError } from '../errors.js'
import { absentValues, propertyOf, readValue, type XSpecValues } from './xspec-keys.js'

// `//` separates keys, but not in `ws=wss://host`. Of three slashes the first belongs to the value before.
const separator = /(?<!:|:\/)\/\/(?!\/)/

// More gateways than one controller holds: `100000000*popen` is a slip, and would fill the memory with text.
const maxExpanded = 10_000

export interface XSpec extends XSpecValues {}

/**
 * What a gateway is to be: parsed, checked, and the same text again with `String(spec)`.
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
  /** The name of the gateway. The one property that changes: a group fills it in when the spec has none. */
  id: string | undefined
  /** The variables set for the interpreter, `env:NAME=value` each. */
  readonly env: Readonly<Record<string, string>>

  private constructor(text: string) {
    this.#text = text
    const { values, env } = readKeys(text)
    Object.assign(this, values)
    this.env = env
  }

  /**
   * Reads a spec such as `popen//python=python3.12//nice=5`.
   *
   * @throws {@link XSpecError} for an unknown key (the error names the nearest one), one that is given twice
   *   or begins with `_`, a value that the key does not take, and for nothing between two separators.
   * @example
   * ```ts
   * XSpec.parse('ssh=-p 5000 user@host//chdir=cache').ssh // '-p 5000 user@host'
   * ```
   */
  static parse(text: string): XSpec {
    return new XSpec(text)
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
    const [, count, spec] = /^(\d+)\*(.*)$/s.exec(text) ?? []
    if (count === undefined || spec === undefined) return [text]
    if (spec === '') throw new XSpecError(`no spec follows the count in "${text}"; write "${count}*popen"`)
    if (Number(count) < 1 || Number(count) > maxExpanded) {
      throw new XSpecError(`the count in "${text}" must be from 1 to ${maxExpanded}`)
    }
    return new Array<string>(Number(count)).fill(spec)
  }

  /** The text that was parsed, unchanged. */
  toString(): string {
    return this.#text
  }

  /** The text that was parsed: a spec in a JSON report is what the user wrote. */
  toJSON(): string {
    return this.#text
  }
}

function readKeys(spec: string): { values: Record<string, unknown>; env: Record<string, string> } {
  if (spec === '') throw new XSpecError('an xspec cannot be empty; write "popen" for a Python on this machine')
  if (spec.includes('\0')) throw new XSpecError(`${JSON.stringify(spec)} has a NUL character; no command takes one`)
  const values = absentValues()
  const env = new Map<string, string>()
  const seen = new Set<string>()
  for (const [key, value] of spec.split(separator).map(splitSegment)) {
    checkKey(key, seen, spec)
    if (key.startsWith('env:')) env.set(key.slice('env:'.length), readVariable(key, value, spec))
    else values[propertyOf(key)] = readValue(key, value, spec)
  }
  return { values, env: Object.fromEntries(env) }
}

function splitSegment(segment: string): [key: string, value: string | undefined] {
  const equals = segment.indexOf('=')
  return equals < 0 ? [segment, undefined] : [segment.slice(0, equals), segment.slice(equals + 1)]
}

function checkKey(key: string, seen: Set<string>, spec: string): void {
  if (key === '') throw new XSpecError(`a key is missing in "${spec}"; keys are separated by one "//"`)
  if (key.startsWith('_')) throw new XSpecError(`key "${key}" in "${spec}" begins with "_"; such names are not keys`)
  if (seen.has(key)) throw new XSpecError(`duplicate key "${key}" in "${spec}"; give it once`)
  seen.add(key)
}

function readVariable(key: string, value: string | undefined, spec: string): string {
  if (key === 'env:') throw new XSpecError(`"env:" names no variable in "${spec}"; write "env:NAME=value"`)
  if (value === undefined) throw new XSpecError(`"${key}" has no value in "${spec}"; write "${key}=value"`)
  return value
}
