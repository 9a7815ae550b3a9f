/**
 * The text of an xspec, `key=value//key=value`: where its parts begin and end, what plain text carries and what is percent-encoded
 * (`key*=`), and how it is shown to people.
 */
import { XSpecError } from '../errors.js'
import { onOneLine } from '../one-line.js'

// `//` separates keys, but not in `ws=wss://host`. Of three slashes the first belongs to the value before.
const separator = /(?<!:|:\/)\/\/(?!\/)/

/** The `key=value` parts of a spec. */
export function segmentsOf(spec: string): string[] {
  return spec.split(separator)
}

/** A part of a spec. */
export interface Segment {
  readonly key: string
  /** As it is written; undefined when the key stands alone. */
  readonly value: string | undefined
  /** Whether it is written `key*=`, with percent-encoded UTF-8. */
  readonly isEncoded: boolean
}

/** Reads a part. */
export function splitSegment(segment: string): Segment {
  const equals = segment.indexOf('=')
  const name = equals < 0 ? segment : segment.slice(0, equals)
  const isEncoded = name.endsWith('*')
  return {
    key: isEncoded ? name.slice(0, -1) : name,
    value: equals < 0 ? undefined : segment.slice(equals + 1),
    isEncoded,
  }
}

/** Writes a part so that it is read as that value, percent-encoded only where it must be. */
export function formatSegment(key: string, value: string): string {
  return isPlain(value) ? `${key}=${value}` : `${key}*=${encodeURIComponent(value)}`
}

/** The same for a value that is a list, with commas between its members. */
export function formatList(key: string, members: readonly string[]): string {
  const text = members.join(',')
  const isPlainList = isPlain(text) && members.every((member) => member === member.trim() && !member.includes(','))
  return isPlainList ? `${key}=${text}` : `${key}*=${members.map(encodeURIComponent).join(',')}`
}

/** Reads percent-encoded UTF-8; undefined when it is none. */
export function decodeText(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** What is wrong with the characters of a text, which neither a command line nor a variable could carry; undefined when nothing is. */
export function characterFault(text: string): string | undefined {
  if (text.includes('\0')) return 'has a NUL character; no command takes one'
  return /\p{Cs}/u.test(text) ? 'has half of a surrogate pair; no command takes one' : undefined
}

/** Whether a value may stand as it is, also in a line of a hosts file and among others in TENDRIL_TX. */
function isPlain(value: string): boolean {
  const isOne = segmentsOf(value).length === 1 && segmentsOf(`${value}//key`)[0] === value
  return isOne && !/\p{Cc}|^\s|\s$|\s#|;/u.test(value)
}

/**
 * A spec as errors, events and reports show it: without the values of variables, which may be secrets. What looks like a slip in `env:` is taken
 * for it, and what is no key behind a variable for part of its value. It is one line.
 */
export function shownText(spec: string, isKey: (name: string) => boolean): string {
  const shown: string[] = []
  let isBehindVariable = false
  for (const segment of segmentsOf(spec)) {
    const { key, value } = splitSegment(segment)
    const isVariable = /^\W*env|:/i.test(key)
    if (isBehindVariable && !isVariable && !isKey(key)) continue
    shown.push(isVariable && value !== undefined ? `${key}=…` : segment)
    isBehindVariable = isVariable
  }
  return onOneLine(shown.join('//'))
}

/** @throws {@link XSpecError} for characters that no command takes. @param what - What has them, for people. */
export function checkCharacters(text: string, what: string): void {
  const fault = characterFault(text)
  if (fault !== undefined) throw new XSpecError(`${what} ${fault}`)
}
