/** What `remoteExec` is given, made into what EXEC carries (PROTOCOL.md §4). */
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SourceError } from '../errors.js'
import { isPlainObject } from '../protocol/codec/containers.js'
import { asError } from '../thrown.js'
import { faultText } from '../transports/system-faults.js'
import { workingDirectory } from '../transports/working-directory.js'
import { isUrl } from './urls.js'

/** Remote code: its text, a file, or a function in either. Text may be the bytes that a file of it has. */
export type Source =
  | string
  | URL
  | { readonly file: string | URL; readonly function?: string }
  | { readonly text: string | Uint8Array; readonly name?: string; readonly function?: string }

/** A source that was read: EXEC's dict, but for the kwargs. */
export interface SourceText {
  /** Text, or the bytes of a file that declares another encoding than UTF-8: Python reads those itself (PEP 263). */
  readonly source: string | Uint8Array
  /** What tracebacks call the source. */
  readonly file: string
  /** Only of a file: over there its code has a `__file__`, and a function of it runs alone where it can (pure.py). */
  readonly is_file?: true
  readonly function: string | null
}

const TEXT_NAME = '<remote exec>'

/** EXEC's dict. */
export interface Task extends SourceText {
  readonly kwargs: Readonly<Record<string, unknown>>
}

/**
 * Reads a source that is to have those names in scope, or as its function's arguments.
 *
 * @throws As `readSource`, and TypeError for a name that none can have.
 */
export function readTask(source: Source, kwargs: Readonly<Record<string, unknown>>): Task {
  checkKwargs(kwargs)
  return { ...readSource(source), kwargs }
}

/**
 * Reads a source; a file is read now, so that its edits count and its removal does not.
 *
 * @throws {@link SourceError} for a file that cannot be read, SyntaxError for one that is not UTF-8 and declares no other encoding, TypeError for what is no source.
 */
export function readSource(source: Source): SourceText {
  checkSource(source)
  if (typeof source === 'string') return { source: dedent(source), file: TEXT_NAME, function: null }
  if (isUrl(source)) return readFile(source, null)
  if ('file' in source) return readFile(source.file, source.function ?? null)
  const { text, name = TEXT_NAME } = source
  const read = typeof text === 'string' ? dedent(text) : sourceIn(Buffer.from(text), name)
  return { source: read, file: name, function: source.function ?? null }
}

const SOURCE_FORMS =
  'the text of Python code, a URL, { file } or { text }, the last two with the name of a `function` if you like'

function checkSource(source: unknown): void {
  if (typeof source === 'string' || isUrl(source)) return
  const isObject = typeof source === 'object' && source !== null
  if (isObject && hasCode(source)) return
  const hint = typeof source === 'function' ? '. Functions of this side can be among the kwargs: Python calls them' : ''
  const what = isObject ? 'such an object' : source === null ? 'null' : `a value of type ${typeof source}`
  throw new TypeError(`remote code is ${SOURCE_FORMS}; not ${what}${hint}`)
}

function hasCode(source: object): boolean {
  const code = 'file' in source ? source.file : 'text' in source ? source.text : undefined
  const name = 'function' in source ? source.function : undefined
  const isCode = typeof code === 'string' || ('file' in source ? isUrl(code) : code instanceof Uint8Array)
  return isCode && (name === undefined || typeof name === 'string')
}

/** A name as Python reads it, which puts compatible characters in their one form. */
const IDENTIFIER = /^[_\p{XID_Start}]\p{XID_Continue}*$/u

function checkKwargs(kwargs: unknown): void {
  if (typeof kwargs !== 'object' || kwargs === null || !isPlainObject(kwargs))
    throw new TypeError('the names of remote code must be in a plain object: { name: value }')
  for (const name of Object.keys(kwargs)) {
    if (name === 'channel')
      throw new TypeError('no kwarg can be called "channel": that is the channel of the code itself')
    if (!IDENTIFIER.test(name) || name.normalize('NFKC') !== name)
      throw new TypeError(`${JSON.stringify(name)} cannot be a name in Python, so no kwarg can be called so`)
  }
}

function readFile(file: string | URL, functionName: string | null): SourceText {
  const path = typeof file === 'string' ? file : fileURLToPath(file.href)
  return { source: sourceIn(bytesOf(path), path), file: path, is_file: true, function: functionName }
}

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const cause = asError(error)
    const reason = 'code' in cause ? String(cause.code) : ''
    const place = isAbsolute(path) ? '' : `. ${whence()}`
    const text = `cannot read ${JSON.stringify(path)}, a file of remote code: ${faultText(cause)}${place}`
    throw new SourceError(text, { path, reason, cause })
  }
}

/** Where a relative path begins. */
function whence(): string {
  const folder = workingDirectory()
  if (folder === '') return 'The working directory, from which it was looked for, is gone'
  return `It was looked for from the working directory, ${folder}`
}

/** PEP 263: a comment in the first line, or in the second behind one that is empty or a comment. */
const DECLARATION = /^(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n?|\n))?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)/
const UTF8 = /^utf[-_]?8(?:$|[-_])/i

function sourceIn(bytes: Buffer, path: string): string | Uint8Array {
  const [, declared] = DECLARATION.exec(bytes.toString('latin1').replace(/^\xEF\xBB\xBF/, '')) ?? []
  if (declared !== undefined && !UTF8.test(declared)) return bytes
  if (!isUtf8(bytes)) throw notUtf8(bytes, path, declared)
  return bytes.toString('utf8').replace(/^\uFEFF/, '')
}

function notUtf8(bytes: Buffer, path: string, declared: string | undefined): SyntaxError {
  const at = firstInvalid(bytes)
  const line = bytes.toString('latin1', 0, at).split(/\r\n?|\n/).length
  const what = declared === undefined ? 'and no encoding is declared' : `which is declared (${declared})`
  const byte = `byte 0x${bytes[at]?.toString(16)} at offset ${at}, in line ${line}, is not UTF-8`
  return new SyntaxError(`cannot read ${path}: ${byte}, ${what}. Declare its encoding (PEP 263), or save it as UTF-8`)
}

/** Where the first byte is that begins no character: there the text is another one. */
function firstInvalid(bytes: Buffer): number {
  const readable = Buffer.from(bytes.toString('utf8'))
  let at = readable.findIndex((byte, index) => byte !== bytes[index])
  while (((readable[at] ?? 0) & 0xc0) === 0x80) at-- // the same bytes begin what stands for it
  return at
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
