/**
 * Python files of ours as they travel to a worker: without comments and docstrings, which no worker needs and which are a third of
 * what would be sent, and with a space per level of indentation. Every line keeps its number, so that tracebacks point into the
 * files of the repository.
 */
import { readWorkerFile } from '../transports/worker-file.js'

/** A string, a comment or an indent: a quote in a comment opens nothing; in a string a `#` begins no comment, and a line no indent. */
const STRING_COMMENT_OR_INDENT = /"""(?:\\[\s\S]|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'| *#[^\n]*|^ +/gm

/** Spaces for each level of indentation in our files. */
const INDENT = 4

/**
 * The source of a file of ours, by its URL, as it is sent.
 *
 * @throws As {@link readWorkerFile}.
 */
export function readWorkerSource(url: URL): string {
  return compact(readWorkerFile(url))
}

/** Blanks comments and docstrings, and shortens indents. Our files quote docstrings with `"""`, and nothing else so that stands alone. */
export function compact(source: string): string {
  const blanked = source.replace(STRING_COMMENT_OR_INDENT, (found, at: number) => {
    if (/^ *#/.test(found)) return ''
    if (found.startsWith(' ')) return ' '.repeat(found.length / INDENT) // what goes on in brackets may stand anywhere
    if (!isDocstring(source, found, at)) return found
    return (isWholeBody(source, found, at) ? '""' : '') + found.replace(/[^\n]/g, '')
  })
  return blanked.replace(/[ \t]+$/gm, '')
}

function isDocstring(source: string, found: string, at: number): boolean {
  const lineStart = source.lastIndexOf('\n', at) + 1
  return (
    found.startsWith('"""') &&
    source.slice(lineStart, at).trim() === '' &&
    /^ *(\n|$)/.test(source.slice(at + found.length))
  )
}

/** Whether nothing follows a docstring in its body, which must not be empty. */
function isWholeBody(source: string, found: string, at: number): boolean {
  const [, next] = /^(?: *(?:#[^\n]*)?\n)*( *)\S/.exec(source.slice(at + found.length)) ?? []
  return next?.length !== at - source.lastIndexOf('\n', at) - 1
}
