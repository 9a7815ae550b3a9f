/**
 * UTF-8 both ways, with two things that `TextEncoder` and `TextDecoder` lack: lone surrogates survive
 * (as Python's `surrogatepass` writes them), and short ASCII text, most of what items hold, is fast.
 */

const encoder = new TextEncoder()
// A byte order mark is a character of the text. Malformed bytes give U+FFFD, which is looked for: the error that a decoder would throw takes
// fifty times as long as the text.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const MALFORMED = '\ufffd'

/** Up to here a loop is faster than a call of `TextDecoder` (Node 20: 110 ns whatever the length). */
const SHORT_TEXT = 40
/** Keys of dicts repeat: the last text of each slot is compared before anything is built. */
const cache: string[] = new Array<string>(512).fill('')
const CACHED_TEXT = 20
/** Code units on their way into a text, at most so many at a time. */
const CHUNK = 1024
const codeUnits = new Uint16Array(CHUNK + 1)
/** An array of each length, to be filled with the codes of a text. */
const unitsOf: number[][] = Array.from({ length: SHORT_TEXT + 1 }, (_, length) => new Array<number>(length).fill(0))

/** The text of these bytes; undefined when they are not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start
  if (length > SHORT_TEXT) return decodeLong(bytes, start, end)
  if (!isAscii(bytes, start, end)) return decodeUnits(bytes, start, end)
  return length <= CACHED_TEXT ? cachedAscii(bytes, start, end) : textOf(bytes, start, length)
}

function decodeLong(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = decoder.decode(bytes.subarray(start, end))
  return text.includes(MALFORMED) ? decodeUnits(bytes, start, end) : text
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
  const text = textOf(bytes, start, end - start)
  cache[slot] = text
  return text
}

function equals(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}

/** Made in one go: text that grows by parts stays a tree of them, which costs more memory and time than it saves. */
function textOf(codes: ArrayLike<number>, start: number, length: number): string {
  const units = unitsOf[length] ?? new Array<number>(length)
  for (let i = 0; i < length; i++) units[i] = codes[start + i] ?? 0
  return String.fromCharCode.apply(undefined, units)
}

/** Any text, and surrogates as Python writes them; otherwise as strict as a `TextDecoder` that is fatal: undefined for malformed bytes. */
function decodeUnits(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = ''
  let size = 0
  for (let at = start; at < end; ) {
    const first = bytes[at++] ?? 0
    const more = first < 0x80 ? 0 : first < 0xc2 ? 4 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 4
    if (at + more > end || more === 4) return undefined
    let code = more === 0 ? first : first & (0x3f >> more)
    for (const last = at + more; at < last; ) {
      const next = bytes[at++] ?? 0
      if (next >> 6 !== 2) return undefined
      code = (code << 6) | (next & 0x3f)
    }
    if (code < (smallest[more] ?? 0) || code > 0x10ffff) return undefined
    if (code > 0xffff) codeUnits[size++] = 0xd7c0 + (code >> 10)
    codeUnits[size++] = code > 0xffff ? 0xdc00 | (code & 0x3ff) : code
    if (size < CHUNK) continue
    text += textOf(codeUnits, 0, size)
    size = 0
  }
  return text + textOf(codeUnits, 0, size)
}

/** The first code that needs one, two or three bytes after the first: in more bytes it is malformed. */
const smallest = [0, 0x80, 0x800, 0x10000]

const surrogate = /[\ud800-\udfff]/
const loneSurrogate = /\p{Surrogate}/u

/** Writes text and returns where it ends; `target` must have room for three bytes a code unit. */
export function encodeText(text: string, target: Uint8Array, start: number): number {
  const isLong = text.length > SHORT_TEXT
  if (!isLong || (surrogate.test(text) && loneSurrogate.test(text))) return encodeUnits(text, target, start)
  return start + encoder.encodeInto(text, target.subarray(start)).written
}

function encodeUnits(text: string, target: Uint8Array, start: number): number {
  let at = start
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) {
      target[at++] = unit
    } else if (unit < 0x800) {
      target[at++] = 0xc0 | (unit >> 6)
      target[at++] = 0x80 | (unit & 0x3f)
    } else {
      const code = unit >= 0xd800 && unit < 0xdc00 ? (text.codePointAt(i) ?? unit) : unit
      at = encodeWide(code, target, at)
      if (code > 0xffff) i++
    }
  }
  return at
}

/** A code of three bytes, lone surrogates too, or of four. */
function encodeWide(code: number, target: Uint8Array, start: number): number {
  let at = start
  if (code > 0xffff) {
    target[at++] = 0xf0 | (code >> 18)
    target[at++] = 0x80 | ((code >> 12) & 0x3f)
  } else {
    target[at++] = 0xe0 | (code >> 12)
  }
  target[at++] = 0x80 | ((code >> 6) & 0x3f)
  target[at++] = 0x80 | (code & 0x3f)
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
