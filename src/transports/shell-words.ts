/**
 * Splits text into words as a POSIX shell does, and as Python's `shlex.split` does: quotes and backslashes,
 * no expansion of any kind. `python=` is such a text: `sudo -u ci "/opt/my python/bin/python"`.
 */
import { XSpecError } from '../errors.js'

// One piece of a word: '…' has no escapes, in "…" a backslash escapes only \ and ", outside it escapes all.
const piece = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/y

/**
 * The words of a command, unquoted.
 *
 * @param options.windows - Reads a backslash as the slash of a path, as execnet does there; quotes are the way to keep a space.
 * @throws {@link XSpecError} when a quote is not closed, or a backslash ends the text.
 * @example
 * ```ts
 * splitWords(`env X='a b' python3`) // ['env', 'X=a b', 'python3']
 * ```
 */
export function splitWords(text: string, options: { readonly windows?: boolean } = {}): string[] {
  const source = options.windows === true ? text.replaceAll('\\', '/') : text
  const words: string[] = []
  let position = skipSpace(source, 0)
  while (position < source.length) {
    const [word, end] = readWord(source, position)
    words.push(word)
    position = skipSpace(source, end)
  }
  return words
}

/** One word as `splitWords` reads it, on every system: in quotes where it must be. */
export function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`
}

function skipSpace(text: string, start: number): number {
  let position = start
  while (position < text.length && /\s/.test(text.charAt(position))) position++
  return position
}

function readWord(text: string, start: number): [word: string, end: number] {
  let word = ''
  let position = start
  while (position < text.length && !/\s/.test(text.charAt(position))) {
    piece.lastIndex = position
    const match = piece.exec(text)
    if (match === null) throw new XSpecError(`cannot split ${text}: ${complaint(text.charAt(position))}`)
    const [, single, double, escaped, bare] = match
    word += single ?? double?.replace(/\\([\\"])/g, '$1') ?? escaped ?? bare
    position = piece.lastIndex
  }
  return [word, position]
}

function complaint(character: string): string {
  return character === '\\' ? 'a backslash ends it' : `the quote ${character} is not closed`
}
