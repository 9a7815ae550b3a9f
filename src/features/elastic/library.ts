/** All that one gateway is provided with: roots, and the modules in them, looked through when somebody first asks. */
import { asError } from '../../core.js'
import { closureOf, namesOf, withParents } from './closure.js'
import { indexOf, type Located, type TopIndex } from './module-index.js'
import type { Root } from './root.js'
import { readSourceFile, type SourceFile } from './source-file.js'

/** Roots, in the order in which they are searched, as their files are when somebody first asks. */
export class Library {
  readonly #roots: readonly Root[]
  readonly #tops = new Map<string, Root[]>()
  readonly #indexes = new Map<string, TopIndex>()

  constructor(roots: readonly Root[]) {
    this.#roots = roots
    for (const root of roots) {
      for (const name of root.topLevelNames()) {
        const those = this.#tops.get(name)
        if (those === undefined) this.#tops.set(name, [root])
        else those.push(root)
      }
    }
  }

  /** The same roots and those, each once, looked at anew. */
  with(roots: readonly Root[]): Library {
    const all = new Map([...this.#roots.map((root) => root.reopened()), ...roots].map((root) => [root.id, root]))
    return new Library([...all.values()])
  }

  /** What errors say was searched. */
  get searched(): string[] {
    return [...new Set(this.#roots.map(({ path }) => path))]
  }

  /** The top-level names, with the path of the root that has each. */
  get tops(): ReadonlyMap<string, string> {
    return new Map([...this.#tops].map(([name, roots]) => [name, roots[0]?.path ?? '']))
  }

  /** What there is of a top-level name; undefined when it is not provided. */
  indexOf(top: string): TopIndex | undefined {
    let index = this.#indexes.get(top)
    const roots = this.#tops.get(top)
    if (index !== undefined || roots === undefined) return index
    index = indexOf(top, roots)
    this.#indexes.set(top, index)
    return index
  }

  /** Where a module's source lies; undefined for what has none. */
  module(name: string): (Located & { readonly isPackage: boolean }) | undefined {
    return this.indexOf(topOf(name))?.modules.get(name)
  }

  /** The names of a package, or of one module. */
  namesIn(name: string): string[] {
    const all = this.indexOf(topOf(name))?.modules.keys() ?? []
    const inside = [...all].filter((each) => each === name || each.startsWith(`${name}.`))
    return [...new Set(inside.flatMap(withParents))].filter((each) => this.module(each) !== undefined)
  }

  /**
   * The sources that importing `names` needs, without those that `isKnown` says are there already, and why others cannot be read.
   */
  closure(
    names: readonly string[],
    isKnown: (name: string) => boolean,
  ): { sources: Map<string, SourceFile>; failed: Map<string, string> } {
    const sources = new Map<string, SourceFile>()
    const failed = new Map<string, string>()
    closureOf(names, (name) => {
      const module = isKnown(name) ? undefined : this.module(name)
      if (module === undefined) return undefined
      try {
        const source = readSourceFile(module)
        sources.set(name, source)
        return { isPackage: module.isPackage, imports: source.imports }
      } catch (error) {
        failed.set(name, asError(error).message)
        return undefined
      }
    })
    return { sources, failed }
  }

  /** Tells whether a module has changed; undefined when it cannot be read. */
  hashOf(name: string): string | undefined {
    return this.closure([name], (other) => other !== name).sources.get(name)?.hash
  }

  /** The contents of a file by its path on the worker, or why they cannot be had. */
  read(top: string, path: string): Buffer | string {
    const file = this.indexOf(top)?.files.get(path)
    if (file === undefined) return 'no such file in what is provided'
    if (typeof file === 'string') return file
    try {
      return file.root.read(file.path)
    } catch (error) {
      return asError(error).message
    }
  }

  /** The paths of all files of top-level names. */
  listingsOf(tops: readonly string[]): Map<string, string[]> {
    return new Map(tops.map((top) => [top, [...(this.indexOf(top)?.files.keys() ?? [])]]))
  }

  /** The top-level names of changed modules, and of those among `names` that import from them, directly or not. */
  affectedBy(changed: Iterable<string>, names: Iterable<string>): Set<string> {
    const affected = new Set([...changed].map(topOf))
    const imports = [...names].map((name) => [topOf(name), new Set(this.#importsOf(name).map(topOf))] as const)
    for (let before = -1; before < affected.size; ) {
      before = affected.size
      for (const [top, imported] of imports) if ([...imported].some((each) => affected.has(each))) affected.add(top)
    }
    return affected
  }

  #importsOf(name: string): string[] {
    const module = this.module(name)
    if (module === undefined) return []
    try {
      return readSourceFile(module).imports.flatMap((statement) => namesOf(statement, name, module.isPackage))
    } catch {
      return [] // it is gone, and so changed itself
    }
  }
}

/** The package or module that a dotted name is in. */
export function topOf(name: string): string {
  const end = name.indexOf('.')
  return end === -1 ? name : name.slice(0, end)
}
