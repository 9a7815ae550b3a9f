/** Packages that are sent whole, before anybody asks. */
import { ProvideError } from '../../errors.js'
import { type Library, topOf } from './library.js'
import type { SourceFile } from './source-file.js'

/** Data files that go along; larger ones are sent when somebody reads them. */
const MAX_FILE_BYTES = 64 * 1024

/**
 * All modules of packages, and their data files; undefined when no package is named.
 *
 * @throws {@link ProvideError} for one that there is not, or that cannot be read.
 */
export function wholePackages(
  library: Library,
  packages: readonly string[],
):
  | { sources: ReadonlyMap<string, SourceFile>; files: Map<string, Buffer>; listings: Map<string, string[]> }
  | undefined {
  if (packages.length === 0) return undefined
  const names = packages.flatMap((name) => {
    const inside = library.namesIn(name)
    if (inside.length > 0) return inside
    const searched = library.searched.join(', ')
    throw new ProvideError(`no package or module ${name} in ${searched}; name its folder in roots`, { path: name })
  })
  const { sources, failed } = library.closure(names, () => false)
  for (const [name, detail] of failed) throw new ProvideError(`cannot provide ${name}: ${detail}`, { path: name })
  const files = new Map(packages.flatMap((name) => dataOf(library, name)))
  return { sources, files, listings: library.listingsOf(packages.map(topOf)) }
}

function dataOf(library: Library, name: string): [path: string, data: Buffer][] {
  const top = topOf(name)
  const folder = `${name.replaceAll('.', '/')}/`
  return [...(library.indexOf(top)?.files ?? [])].flatMap(([path, file]): [string, Buffer][] => {
    if (typeof file === 'string' || path.endsWith('.py') || !file.path.startsWith(folder)) return []
    const data = library.read(top, path)
    return typeof data !== 'string' && data.length <= MAX_FILE_BYTES ? [[path, data]] : []
  })
}
