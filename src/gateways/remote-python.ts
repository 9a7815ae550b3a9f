/**
 * What finds a Python somewhere else and runs the loader with it, as a line or as words. A login shell that gets the line may be any,
 * csh and fish too, or a restricted one: all it gets is `sh -c '…'` with nothing in between that one of them takes for its own.
 */
import { XSpecError } from '../errors.js'
import type { XSpec } from '../specs/xspec.js'
import { splitWords } from '../transports/shell-words.js'
import { variablesAtStart } from './variables.js'

/** What is looked for when no `python=` is given, best first. */
const names = [
  'python3',
  'python',
  ...[13, 12, 11, 10, 9, 8, 7, 6].map((minor) => `python3.${minor}`),
  'pypy3',
  'python2.7',
]

// Searched behind PATH, which sessions without a login have short: rc files are not read.
const places = [
  '/usr/local/bin',
  '/opt/*/bin',
  '$HOME/.local/bin',
  '$HOME/.pyenv/shims',
  '$HOME/*conda3/bin',
  '$HOME/miniforge3/bin',
  '$HOME/venv/bin',
  '$HOME/.venv/bin',
  '$HOME/.local/share/uv/python/*/bin',
]

// dropbear has all sessions of a connection in one process group, with itself: a worker that ends its group would end them
// all. Built in, so that no file of the user's is taken for it.
const leaveGroup = 'import posix;posix.getpid()==posix.getpgrp()or posix.setsid();'

/** The keys of a spec that say which interpreter. */
export type PythonKeys = Pick<XSpec, 'python' | 'env'>

/** A command for a login shell. */
export interface RemoteCommand {
  readonly command: string
  /** What it tries to start, for errors. */
  readonly tried: readonly string[]
}

/**
 * The command for a spec: the words of `python=`, else the first Python there is; with those variables of `env:` set that are read at
 * the start. The others are for the worker to set.
 *
 * It exits with code 127 and one line on stderr when there is none.
 */
export function remotePython(spec: PythonKeys, loaderLine: string, options: ScriptOptions = {}): RemoteCommand {
  const words = wordsOf(spec)
  const script = [...(options.first ?? []), ...scriptLines(spec, words, leaveGroup + loaderLine, options)].join(';')
  return { command: `sh -c '${script}'`, tried: words.length > 0 ? words : names }
}

/** How sh is to go about it. */
export interface ScriptOptions {
  /** Lines that come before all others; no single quote may be in them. */
  readonly first?: readonly string[]
  /** It stays and waits for the interpreter, instead of becoming it. */
  readonly waits?: boolean
}

/** Words for a program that starts what it is given, with no shell in between. */
export interface RemoteWords {
  readonly argv: readonly string[]
  /** What they try to start, for errors. */
  readonly tried: readonly string[]
}

/** The same for such a program. With `python=` nothing but that has to be there, and `env` when there are variables. */
export function remoteWords(spec: PythonKeys, loaderLine: string): RemoteWords {
  const words = wordsOf(spec)
  const line = leaveGroup + loaderLine
  if (words.length === 0) return { argv: ['sh', '-c', scriptLines(spec, words, line).join(';')], tried: names }
  const variables = Object.entries(variablesAtStart(spec.env)).map(([name, value]) => `${name}=${value}`)
  return { argv: [...(variables.length > 0 ? ['env', ...variables] : []), ...words, '-c', line], tried: words }
}

function wordsOf({ python, env }: PythonKeys): string[] {
  const odd = Object.keys(env).find((name) => !/^[A-Za-z_]\w*$/.test(name))
  if (odd !== undefined) throw new XSpecError(`no shell takes a variable ${JSON.stringify(odd)}; rename "env:${odd}"`)
  return python === undefined ? [] : splitWords(python)
}

function scriptLines(
  { env }: PythonKeys,
  words: readonly string[],
  line: string,
  { waits = false }: ScriptOptions = {},
): string[] {
  const start = (python: string): string => {
    const command = `${python} -c ${shellWord(line)}`
    return waits ? `{ ${command};exit $?;}` : `exec ${command}`
  }
  return [
    ...Object.entries(variablesAtStart(env)).flatMap(([name, value]) => assign(name, value)),
    ...(words.length > 0 ? [start(words.map(shellWord).join(' '))] : search(start)),
  ]
}

function search(start: (python: string) => string): string[] {
  return [
    `for d in ${places.map((place) => place.replace('$HOME', () => '"$HOME"')).join(' ')}`,
    'do [ -d "$d" ] && PATH=$PATH:$d',
    'done',
    `for p in ${names.join(' ')}`,
    `do command -v $p >/dev/null 2>&1 && ${start('$p')}`,
    'done',
    `echo "no Python found: looked for ${names.join(', ')} on PATH and in the usual places" >&2`,
    'exit 127',
  ]
}

function assign(name: string, value: string): string[] {
  // A command substitution loses the line feeds at its end.
  return value.endsWith('\n')
    ? [`${name}=${shellWord(`${value}.`)}`, `${name}=\${${name}%.}`, `export ${name}`]
    : [`${name}=${shellWord(value)}`, `export ${name}`]
}

/** @internal A word for sh that has no single quote in it, nor anything that csh or fish would take for its own inside of single quotes. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (/^[\x20-\x7e]*$/.test(word) && !/["'$\\`!]/.test(word)) return `"${word}"`
  const octal = Array.from(Buffer.from(word), (byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('')
  return `"$(printf %b "${octal}")"`
}
