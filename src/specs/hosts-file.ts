/**
 * Many specs from few words: `3*popen` is three, `@hosts.txt` the specs of a file. A mistake in a file is told with the
 * file and the line, before anything has been started.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { XSpecError } from '../errors.js'
import { asError } from '../thrown.js'
import { resolveHere } from '../transports/working-directory.js'
import { XSpec, type XSpecLike } from './xspec.js'

/**
 * Reads all the specs that some stand for.
 *
 * A hosts file has one spec a line. Blank lines, and what follows a `#` at the start of a line or after a blank, are left out;
 * `3*spec` stands for three, and `@other.txt` for the specs of another file, found from the folder of the first.
 *
 * @param specs - Specs, `N*spec` and `@file` each; files are found from the working directory.
 * @throws {@link XSpecError} for a spec that cannot be read, a file that cannot, one that includes itself, and an id that is
 *   given twice in a file; from a file it begins with `file:line`.
 * @example
 * ```ts
 * readSpecs(['popen//id=a', '2*popen//nice=5']).map(String) // ['popen//id=a', 'popen//nice=5', 'popen//nice=5']
 * ```
 */
export function readSpecs(specs: Iterable<XSpecLike>): XSpec[] {
  return [...specs].flatMap((given) => {
    if (typeof given === 'string') return given.startsWith('@') ? readFile(given.slice(1), []) : parseAll(given)
    const spec = XSpec.from(given)
    return spec.count === 1 ? [spec] : parseAll(String(spec))
  })
}

function parseAll(text: string): XSpec[] {
  return XSpec.expand(text).map((spec) => XSpec.parse(spec))
}

/** @param trail - The files, by their absolute paths, whose lines led here. */
function readFile(path: string, trail: readonly string[]): XSpec[] {
  const absolute = resolveHere(path)
  if (trail.includes(absolute)) throw new XSpecError(`the hosts file ${JSON.stringify(path)} includes itself`)
  const lineOfId = new Map<string, number>()
  return textOf(path)
    .split(/\r?\n/)
    .flatMap((line, index) => {
      const text = line.replace(/(^|\s)#.*$/, '').trim()
      if (text === '') return []
      try {
        if (text.startsWith('@')) return readFile(resolve(dirname(absolute), text.slice(1)), [...trail, absolute])
        const specs = parseAll(text)
        for (const { id } of specs) rememberId(lineOfId, id, index + 1)
        return specs
      } catch (error) {
        if (!(error instanceof XSpecError)) throw error
        throw new XSpecError(`${path}:${index + 1}: ${error.message}`, { cause: error })
      }
    })
}

function rememberId(lineOfId: Map<string, number>, id: string | undefined, line: number): void {
  if (id === undefined) return
  const before = lineOfId.get(id)
  if (before !== undefined) throw new XSpecError(`id "${id}" is that of line ${before} as well; choose another`)
  lineOfId.set(id, line)
}

function textOf(path: string): string {
  if (path === '') throw new XSpecError('no file follows the "@"; write "@hosts.txt"')
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    const detail = asError(error).message
    throw new XSpecError(`cannot read the hosts file ${JSON.stringify(path)}: ${detail}`, { cause: error })
  }
}
