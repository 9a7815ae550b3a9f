/** Finds what somebody meant to write, for the end of an error text. */

// Nobody has mistyped a longer one, and it would take long.
const MAX_CHARACTERS = 100

/**
 * The word most like the one that was written, whatever its case and underscores.
 *
 * @returns `undefined` when none is near: a guess that is no help would only mislead.
 * @example
 * ```ts
 * nearestWord('pyhton', ['popen', 'python']) // 'python'
 * ```
 */
export function nearestWord(written: string, words: Iterable<string>): string | undefined {
  if (written.length > MAX_CHARACTERS) return undefined
  let nearest: string | undefined
  let least = Math.max(2, Math.floor(written.length / 3)) + 1
  for (const word of words) {
    const distance = editDistance(plain(written), plain(word))
    if (distance < least && distance < word.length) {
      nearest = word
      least = distance
    }
  }
  return nearest
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll('_', '')
}

/** How many letters must be added, removed or replaced to make one word the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1)
      const added = (current[column - 1] ?? 0) + 1
      const removed = (previous[column] ?? 0) + 1
      current.push(Math.min(replaced, added, removed))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}
