/** What `roots=` and `provide=` of a spec stand for. */
import type { XSpec } from '../../core.js'
import type { ProvideOptions } from './provide.js'

/** What a spec says is to be provided; undefined when it says nothing. */
export function providedBy(spec: XSpec): ProvideOptions | undefined {
  if (spec.roots === undefined && spec.provide === undefined) return undefined
  const { roots = [], provide = [] } = spec
  return {
    roots: roots.filter((path) => !isWheel(path)),
    wheels: roots.filter(isWheel),
    packages: provide,
  }
}

function isWheel(path: string): boolean {
  return path.endsWith('.whl')
}
