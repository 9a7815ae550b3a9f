/**
 * Puts values that nobody has checked into the text of a spec, so that they stay values: what a host from a form has in it is never read as
 * another key, an option or a second word.
 */
import { XSpecError } from '../errors.js'
import { quoteWord, splitWords } from '../transports/shell-words.js'
import { parseTarget } from './ssh-target.js'
import { checkName, type KeyRow, rowOf } from './xspec-keys.js'
import { checkCharacters, formatList, formatSegment } from './xspec-text.js'

/** What stands behind the `=` of a key: text that the program has written, and values that it was given. */
export type Piece = { readonly literal: string } | { readonly value: unknown }

/**
 * Writes a key with its value, as a part of a spec.
 *
 * @param spec - Where it stands, for error texts.
 * @throws {@link XSpecError} for a key that there is not, and for a value that it cannot have.
 */
export function formatValue(key: string, pieces: readonly Piece[], spec: string): string {
  if (key.startsWith('env:')) return formatSegment(key, joined(key, pieces, spec))
  const row = rowOf(key, spec)
  if (row.takes === 'text: a list') return formatList(key, membersOf(key, pieces, spec))
  if (row.takes !== 'text: words') {
    const isEndless = row.takes === 'duration' && pieces.every((piece) => 'value' in piece && piece.value === Infinity)
    const text = isEndless ? 'Infinity' : joined(key, pieces, spec)
    if (row.names !== undefined) checkName(key, text, row.names, spec)
    return formatSegment(key, text)
  }
  const text = wordsOf(key, row, pieces, spec)
  checkTarget(key, row, { text, pieces, spec })
  return formatSegment(key, text)
}

function joined(key: string, pieces: readonly Piece[], spec: string): string {
  return pieces.map((piece) => ('literal' in piece ? piece.literal : textOf(key, piece.value, spec))).join('')
}

/** A value is one word, or part of one; an array is several. */
function wordsOf(key: string, { names }: KeyRow, pieces: readonly Piece[], spec: string): string {
  let text = ''
  for (const piece of pieces) {
    if ('literal' in piece) {
      text += piece.literal
      continue
    }
    const before = splitBefore(key, text, spec)
    const words = textsOf(key, piece.value, spec)
    if (names !== undefined && !Array.isArray(piece.value) && before === '') checkNoOption(key, words[0] ?? '', spec)
    text += words.map(quoteWord).join(' ')
  }
  return text
}

/**
 * What the word of a value has before it.
 *
 * @throws {@link XSpecError} for a value in quotes, which would end where the value says.
 */
function splitBefore(key: string, before: string, spec: string): string {
  try {
    splitWords(before)
    return splitWords(`${before}x`).at(-1)?.slice(0, -1) ?? ''
  } catch (error) {
    throw new XSpecError(
      `a value stands in quotes, or behind a backslash, in "${key}" of "${spec}": leave those out, it is one word as it is`,
      { cause: error },
    )
  }
}

function checkNoOption(key: string, word: string, spec: string): void {
  if (!word.startsWith('-')) return
  throw new XSpecError(
    `the value ${JSON.stringify(word)} in "${key}" of "${spec}" would be an option; options are written as text, or in an array`,
  )
}

/** The last word is what is meant; of an array it is the value, and the words before it are trusted. */
function checkTarget(
  key: string,
  { names }: KeyRow,
  { text, pieces, spec }: { text: string; pieces: readonly Piece[]; spec: string },
): void {
  if (names === undefined) return
  const last = splitWords(text).at(-1) ?? ''
  if (key !== 'ssh') return checkName(key, last, names, spec)
  const { destination } = parseTarget(text)
  checkName(key, destination, names, spec)
  const isArray = pieces.some((piece) => 'value' in piece && Array.isArray(piece.value))
  if (!isArray) return
  checkName(key, last, names, spec)
  if (parseTarget(quoteWord(last)).destination !== destination)
    throw new XSpecError(`the last word of "${key}" in "${spec}" is not the host; options come before it`)
}

function membersOf(key: string, pieces: readonly Piece[], spec: string): string[] {
  const members = ['']
  const add = (texts: readonly string[]): void => {
    members[members.length - 1] += texts[0] ?? ''
    members.push(...texts.slice(1))
  }
  for (const piece of pieces) {
    if ('value' in piece) add(textsOf(key, piece.value, spec))
    else add(piece.literal.split(',').map((text, index) => (index === 0 ? text : text.trimStart())))
  }
  return members.filter((member) => member !== '')
}

/** The members of an array, or one value. */
function textsOf(key: string, value: unknown, spec: string): string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  const texts = values.map((one) => textOf(key, one, spec))
  if (texts.length > 0 && !texts.includes('')) return texts
  throw new XSpecError(
    `"${key}" of "${spec}" was given ${texts.length === 0 ? 'an array with no members' : 'an empty word'}`,
  )
}

function textOf(key: string, value: unknown, spec: string): string {
  if (typeof value === 'string') {
    checkCharacters(value, `the value of "${key}" in "${spec}"`)
    return value
  }
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value))) return String(value)
  throw new XSpecError(`"${key}" of "${spec}" was given ${kindOf(value)}; it takes text or a number`)
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'number') return String(value)
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}
