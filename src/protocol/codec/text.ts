/**
 * UTF-8 both ways, with two things that `TextEncoder` and `TextDecoder` lack: lone surrogates survive
 * (as Python's `surrogatepass` writes them), and short ASCII text, most of what items hold, is fast.
 */

const encoder = new TextEncoder()
// A byte order mark is a character of the text, and malformed bytes are an error, never U+FFFD.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Up to here a loop is faster than a call of `TextDecoder` (Node 20: 110 ns whatever the length). */
const SHORT_TEXT = 40
/** Keys of dicts repeat: the last text of each slot is compared before anything is built. */
const cache: string[] = new Array<string>(512).fill('')
const CACHED_TEXT = 20

/** The text of these bytes; undefined when they are not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start
  if (length === 0) return ''
  if (length <= SHORT_TEXT && isAscii(bytes, start, end)) {
    return length <= CACHED_TEXT ? cachedAscii(bytes, start, end) : ascii(bytes, start, end)
  }
  const view = bytes.subarray(start, end)
  try {
    return decoder.decode(view)
  } catch {
    return decodeSurrogates(view)
  }
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let bits = 0
  for (let at = start; at < end; at++) bits |= bytes[at] ?? 0
  return bits < 0x80
}

function cachedAscii(bytes: Uint8Array, start: number, end: number): string {
  const slot = ((bytes[start] ?? 0) * 31 + (bytes[end - 1] ?? 0) * 7 + (end - start)) & 511
  const known = cache[slot] ?? ''
  if (known.length === end - start && equals(known, bytes, start)) return known
  return (cache[slot] = ascii(bytes, start, end))
}

function equals(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  const code = String.fromCharCode
  let text = ''
  let at = start
  for (; at + 4 <= end; at += 4) {
    // Four at a time is twice as fast as one by one; the defaults are for the compiler, they never apply.
    text += code(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, bytes[at + 3] ?? 0)
  }
  for (; at < end; at++) text += code(bytes[at] ?? 0)
  return text
}

/** Generalised UTF-8, strictly: surrogates are allowed, anything else that is malformed is not. */
function decodeSurrogates(bytes: Uint8Array): string | undefined {
  const parts: string[] = []
  let plain = 0
  for (let at = 0; at + 2 < bytes.length; at++) {
    const second = bytes[at + 1] ?? 0
    if (bytes[at] !== 0xed || second < 0xa0 || second > 0xbf) continue
    const third = bytes[at + 2] ?? 0
    if (third >> 6 !== 2) return undefined
    const before = decodeStrict(bytes.subarray(plain, at))
    if (before === undefined) return undefined
    parts.push(before, String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)))
    plain = at + 3
    at += 2
  }
  const rest = decodeStrict(bytes.subarray(plain))
  return rest === undefined || plain === 0 ? undefined : parts.join('') + rest
}

function decodeStrict(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const surrogate = /[\ud800-\udfff]/
const loneSurrogate = /\p{Surrogate}/u

/** Writes text and returns where it ends; `target` must have room for three bytes a code unit. */
export function encodeText(text: string, target: Uint8Array, start: number): number {
  if (text.length <= SHORT_TEXT) {
    let at = start
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) return encodeAnyText(text, target, start)
      target[at++] = code
    }
    return at
  }
  return encodeAnyText(text, target, start)
}

function encodeAnyText(text: string, target: Uint8Array, start: number): number {
  if (surrogate.test(text) && loneSurrogate.test(text)) return encodeSurrogates(text, target, start)
  return start + encoder.encodeInto(text, target.subarray(start)).written
}

function encodeSurrogates(text: string, target: Uint8Array, start: number): number {
  let at = start
  for (const character of text) {
    const code = character.charCodeAt(0)
    if (character.length === 1 && code >= 0xd800 && code <= 0xdfff) {
      target[at++] = 0xe0 | (code >> 12)
      target[at++] = 0x80 | ((code >> 6) & 0x3f)
      target[at++] = 0x80 | (code & 0x3f)
    } else {
      at += encoder.encodeInto(character, target.subarray(at)).written
    }
  }
  return at
}

/** One character a byte, as protocol 2 carries bytes; undefined when a character is none. */
export function latin1Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0xff) return undefined
    bytes[i] = code
  }
  return bytes
}
