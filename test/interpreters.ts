/**
 * The interpreters of this machine that the matrix runs on: from pyenv's versions, from where .ci/newest-python puts one, then from
 * PATH and the usual folders, one of each minor version, by their real paths (a shim costs a shell on every start). None is run here.
 */
import { readdirSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, delimiter, join } from 'node:path'

/** One interpreter of the matrix. */
export interface Interpreter {
  /** Such as `CPython 3.11`, `CPython 3.14t` (without a GIL) or `PyPy 3.9`, for titles. */
  readonly name: string
  /** The absolute path of its executable; free of spaces and quotes, so it can stand in a spec. */
  readonly command: string
}

/** What CI must run on. A machine of a user's runs on what it has. */
export const requiredInterpreters: readonly string[] = [
  ...['2.7', '3.6', '3.7', '3.8', '3.9', '3.10', '3.11', '3.12', '3.13'].map((version) => `CPython ${version}`),
  'PyPy',
]

/** What is tested where it is found: 3.14 comes from .ci/newest-python, a free-threaded one from pyenv or PATH. */
export const optionalInterpreters: readonly string[] = ['CPython 3.14', 'free-threaded CPython']

/** True where `TENDRIL_CI` is 1: there nothing may be skipped. */
export const isCi: boolean = process.env['TENDRIL_CI'] === '1'

let found: readonly Interpreter[] | undefined

/** All interpreters found, oldest first, PyPy last. In the fast tier only {@link anyInterpreter} is. */
export function interpreters(): readonly Interpreter[] {
  found ??= process.env['TENDRIL_ONE_PYTHON'] === '1' ? [anyOf(findInterpreters())] : findInterpreters()
  return found
}

/** The names of the required interpreters that this machine does not have. */
export function missingInterpreters(): string[] {
  return requiredInterpreters.filter((name) => findInterpreter(name) === undefined)
}

/** The interpreter of that name; `PyPy` is any PyPy, `free-threaded CPython` the newest without a GIL. */
export function findInterpreter(name: string): Interpreter | undefined {
  if (name === 'free-threaded CPython') return interpreters().filter(isFreeThreaded).at(-1)
  return interpreters().find((interpreter) => interpreter.name === name || interpreter.name.startsWith(`${name} `))
}

/** The newest CPython; those without a GIL are not meant. */
export function newestInterpreter(): Interpreter {
  const newest = interpreters()
    .filter((each) => each.name.startsWith('CPython') && !isFreeThreaded(each))
    .at(-1)
  return newest ?? anyInterpreter()
}

/**
 * Those for what repeats without finding anything new on each: the oldest Python 2 and 3, one between, the newest, and what differs
 * in kind, PyPy and one without a GIL.
 */
export function chosenInterpreters(): readonly Interpreter[] {
  const chosen = [
    ...['CPython 2.7', 'CPython 3.6', anyInterpreter().name, newestInterpreter().name],
    ...['PyPy', 'free-threaded CPython'],
  ]
  return [...new Set(chosen.map(findInterpreter))].filter((each) => each !== undefined)
}

function isFreeThreaded({ name }: Interpreter): boolean {
  return /^CPython .*t$/.test(name)
}

/** The Python 3 for tests that need no particular one: 3.11 where there is one. */
export function anyInterpreter(): Interpreter {
  return anyOf(interpreters())
}

function anyOf(all: readonly Interpreter[]): Interpreter {
  const any = all.find(({ name }) => name === 'CPython 3.11') ?? all.find(({ name }) => name.startsWith('CPython 3'))
  if (any === undefined) throw new Error('the tests need a Python 3 on this machine; install python3')
  return any
}

function findInterpreters(): Interpreter[] {
  const byName = new Map<string, string>()
  for (const { name, command } of [...keptInterpreters(), ...pathInterpreters()]) {
    const real = realPathOf(command)
    if (real !== undefined && !byName.has(name) && !/[\s'"\\]/.test(real)) byName.set(name, command)
  }
  return [...byName]
    .map(([name, command]) => ({ name, command }))
    .sort((one, other) => compareNames(one.name, other.name))
}

function compareNames(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true })
}

/** Those that have a folder each, named for their version. */
function keptInterpreters(): Interpreter[] {
  const pyenv = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions')
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tendril', 'pythons')
  return [pyenv, cache].flatMap((folder) =>
    namesIn(folder).flatMap((name) => {
      const [, pypy, version] = /^(pypy)?(\d\.\d+)(?=[.t-])/.exec(name) ?? []
      const t = /^[\d.]+t(-|$)/.test(name) ? 't' : ''
      const command = join(folder, name, 'bin', 'python')
      return version === undefined ? [] : [{ name: `${pypy ? 'PyPy' : 'CPython'} ${version}${t}`, command }]
    }),
  )
}

function pathInterpreters(): Interpreter[] {
  const path = (process.env['PATH'] ?? '').split(delimiter)
  const folders = [...path, '/usr/local/bin', '/usr/bin'].filter((folder) => !/[/\\]shims[/\\]?$/.test(folder))
  return folders.flatMap((folder) =>
    namesIn(folder)
      .filter((file) => /^(python|pypy)(\d(\.\d+t?)?)?$/.test(file))
      .flatMap((file) => interpreterAt(join(folder, file))),
  )
}

/** `python3` is a link to `python3.11`: the real name tells the version without a start. */
function interpreterAt(command: string): Interpreter[] {
  const [, kind, version] = /^(python|pypy)(\d\.\d+t?)$/.exec(basename(realPathOf(command) ?? '')) ?? []
  return version === undefined ? [] : [{ name: `${kind === 'pypy' ? 'PyPy' : 'CPython'} ${version}`, command }]
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // a folder of PATH that does not exist holds no interpreter
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined // a link to an interpreter that was removed
  }
}
