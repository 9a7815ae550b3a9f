/** What `remoteExec` is given, made into what EXEC carries (PROTOCOL.md §4). */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Remote code: its text, a file, or a function in either. */
export type Source =
  | string
  | URL
  | { readonly file: string | URL; readonly function?: string }
  | { readonly text: string; readonly name?: string; readonly function?: string }

/** EXEC's dict, but for the kwargs. */
export interface Task {
  readonly source: string
  /** What tracebacks call the source. */
  readonly file: string
  readonly function: string | null
}

const TEXT_NAME = '<remote exec>'

/** Reads a source; a file is read now, so that its edits count and its removal does not. */
export function readSource(source: Source): Task {
  if (typeof source === 'string') return { source: dedent(source), file: TEXT_NAME, function: null }
  if (source instanceof URL) return readFile(source, null)
  if ('file' in source) return readFile(source.file, source.function ?? null)
  return { source: dedent(source.text), file: source.name ?? TEXT_NAME, function: source.function ?? null }
}

function readFile(file: string | URL, functionName: string | null): Task {
  const path = typeof file === 'string' ? file : fileURLToPath(file)
  return { source: readFileSync(path, 'utf8').replace(/^\uFEFF/, ''), file: path, function: functionName }
}

/** Takes away what all lines are indented by, as Python's textwrap.dedent: sources stand indented in other code. */
export function dedent(text: string): string {
  const indents = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => /^[ \t]*/.exec(line)?.[0] ?? '')
  const [first = '', ...rest] = indents
  let common = first
  for (const indent of rest) while (!indent.startsWith(common)) common = common.slice(0, -1)
  if (common === '') return text
  return text
    .split('\n')
    .map((line) => (line.startsWith(common) ? line.slice(common.length) : line.trimStart()))
    .join('\n')
}
