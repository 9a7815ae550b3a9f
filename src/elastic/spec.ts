/** What `roots=` and `provide=` of a spec stand for. */
import type { XSpec } from '../core.js'
import type { ProvideOptions } from './provide.js'

/** What a spec says is to be provided; undefined when it says nothing. */
export function providedBy(spec: XSpec): ProvideOptions | undefined {
  if (spec.roots === undefined && spec.provide === undefined) return undefined
  const paths = wordsOf(spec.roots)
  return {
    roots: paths.filter((path) => !isWheel(path)),
    wheels: paths.filter(isWheel),
    packages: wordsOf(spec.provide),
  }
}

function isWheel(path: string): boolean {
  return path.endsWith('.whl')
}

function wordsOf(text = ''): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
