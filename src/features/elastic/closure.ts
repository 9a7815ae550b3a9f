/** What belongs to a module: its parents, and all that it and those import at module level, in the order in which Python would. */
import type { ImportStatement } from './import-scan.js'

/** What a name leads to: whether it is a package, and its imports; undefined for what is not provided. */
export type Lookup = (
  name: string,
) => { readonly isPackage: boolean; readonly imports: readonly ImportStatement[] } | undefined

/** The names that importing `names` leads to, as far as `lookup` knows them. */
export function closureOf(names: readonly string[], lookup: Lookup): string[] {
  const ordered = new Set<string>()
  const waiting = names.flatMap(withParents).reverse()
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (ordered.has(name)) continue
    const module = lookup(name)
    if (module === undefined) continue
    ordered.add(name)
    const next = module.imports.flatMap((statement) => namesOf(statement, name, module.isPackage)).flatMap(withParents)
    waiting.push(...next.filter((each) => !ordered.has(each)).reverse())
  }
  return [...ordered]
}

/** `a.b.c` imports `a` and `a.b` first. */
export function withParents(name: string): string[] {
  if (!name.includes('.')) return [name]
  const parts = name.split('.')
  return parts.map((_, index) => parts.slice(0, index + 1).join('.'))
}

/** The absolute names that a statement may import: what it imports from, and each of its names, which may be a module too. */
export function namesOf({ dots, module, names }: ImportStatement, importer: string, isPackage: boolean): string[] {
  const parts = importer.split('.')
  const up = dots - (isPackage ? 1 : 0)
  if (up > parts.length) return []
  const parent = dots === 0 ? [] : parts.slice(0, parts.length - up)
  const base = [...parent, ...(module === '' ? [] : [module])].join('.')
  return base === '' ? [] : [base, ...names.map((name) => `${base}.${name}`)]
}
