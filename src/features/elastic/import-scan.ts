/**
 * What a Python module imports when it is imported, by a scan of its text: no parser, but what strings, comments, brackets,
 * functions and `if TYPE_CHECKING` hide is told apart. It may find too much, which costs bytes, or too little, which costs a
 * round trip; never more than that, because the worker asks for whatever it lacks.
 */

/** An import statement: `from ..a import b, c` has 2 dots, the module `a` and the names b and c. */
export interface ImportStatement {
  readonly dots: number
  readonly module: string
  readonly names: readonly string[]
}

// What matters of the text outside of strings and comments; all else is passed over.
const INTERESTING = /["'#\n\\()[\]{}]/g
const STATEMENT =
  /(?:^|[;:])\s*(?:import\s+([^;]+)|from\s*(\.*)\s*([^\s;.()]+(?:\s*\.\s*[^\s;.()]+)*|)\s*\bimport\b\s*\(?([^;)]+)\)?)/g
const FUNCTION = /^(?:async\s+)?def\b/
const TYPES_ONLY = /^if\s+(?:\w+\.)?TYPE_CHECKING\s*:/

/** The imports at module level, in classes, conditions and `try` too. */
export function importsIn(source: string): ImportStatement[] {
  const found: ImportStatement[] = []
  let skipped = Number.POSITIVE_INFINITY // lines that are indented further belong to what does not run on import
  for (const line of logicalLines(source)) {
    const text = line.trimStart()
    if (text === '') continue
    const indent = indentOf(line, line.length - text.length)
    if (indent > skipped) continue
    skipped = FUNCTION.test(text) || TYPES_ONLY.test(text) ? indent : Number.POSITIVE_INFINITY
    if (skipped === Number.POSITIVE_INFINITY && text.includes('import')) found.push(...statementsIn(text))
  }
  return found
}

function statementsIn(text: string): ImportStatement[] {
  return [...text.matchAll(STATEMENT)].flatMap(([, modules, dots = '', module = '', names = '']) =>
    modules === undefined
      ? [{ dots: dots.length, module: module.replace(/\s/g, ''), names: namesIn(names) }]
      : namesIn(modules).map((name) => ({ dots: 0, module: name, names: [] })),
  )
}

/** `a as b, c` imports a and c. */
function namesIn(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim().split(/\s/)[0] ?? '')
    .filter((name) => name !== '' && name !== '*')
}

function indentOf(line: string, length: number): number {
  let indent = 0
  for (let at = 0; at < length; at++) indent = line[at] === '\t' ? (Math.floor(indent / 8) + 1) * 8 : indent + 1
  return indent
}

/** Lines as Python joins them, without strings and comments. */
function* logicalLines(source: string): Generator<string> {
  let line = ''
  let depth = 0
  let from = source.startsWith('\uFEFF') ? 1 : 0
  const take = (until: number, next: number): void => {
    line += source.slice(from, until)
    from = INTERESTING.lastIndex = next
  }
  INTERESTING.lastIndex = from
  for (let match = INTERESTING.exec(source); match !== null; match = INTERESTING.exec(source)) {
    const at = match.index
    const [mark] = match
    if (mark === '"' || mark === "'") take(at, endOfString(source, at, mark))
    else if (mark === '#') take(at, lineEnd(source, at))
    else if (mark === '\\') take(at, at + (source.startsWith('\r\n', at + 1) ? 3 : 2))
    else if (mark !== '\n') depth = Math.max(0, depth + ('([{'.includes(mark) ? 1 : -1))
    else if (depth === 0) {
      take(at, at + 1)
      yield line
      line = ''
    }
  }
  yield line + source.slice(from)
}

function endOfString(source: string, start: number, quote: string): number {
  const isLong = source.startsWith(quote.repeat(3), start)
  const end = isLong ? quote.repeat(3) : quote
  for (let at = start + end.length; at < source.length; at++) {
    const character = source[at]
    if (character === '\\') at++
    else if (character === quote && source.startsWith(end, at)) return at + end.length
    else if (character === '\n' && !isLong) return at
  }
  return source.length
}

function lineEnd(source: string, start: number): number {
  const end = source.indexOf('\n', start)
  return end === -1 ? source.length : end
}
