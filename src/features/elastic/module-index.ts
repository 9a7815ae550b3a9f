/** The names that a top-level module or package stands for, by the files that there are: as Python's own finders read folders. */
import type { Root, RootFile } from './root.js'

/** What a name is; a text is why it cannot be had. The worker has the same numbers (shelf.py). */
export type ModuleKind = typeof MODULE | typeof PACKAGE | typeof FOLDER | string
export const MODULE = 0
export const PACKAGE = 1
/** Of a namespace package: it has no code, and other roots may have more of it. */
export const FOLDER = 2

/** A file that can be read. */
export interface Located {
  readonly root: Root
  readonly path: string
}

/** All that is known of a top-level name. */
export interface TopIndex {
  /** What the worker is told: names by the folder that they count from. */
  readonly portions: readonly (readonly [base: string, kinds: ReadonlyMap<string, ModuleKind>])[]
  /** The sources, by module name; folders have none. */
  readonly modules: ReadonlyMap<string, Located & { readonly isPackage: boolean }>
  /** All files, by the path that they have on the worker; a text is why one cannot be had. */
  readonly files: ReadonlyMap<string, Located | string>
}

const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u
const COMPILED = /^([\p{L}_][\p{L}\p{N}_]*)(?:\.[\w-]+)*\.(?:so|pyd)$/u

/**
 * Looks through the roots that have a name. The first that has a module or a package of it has it alone, and hides it in those
 * behind it; where there are folders only, they are one namespace package.
 */
export function indexOf(top: string, roots: readonly Root[]): TopIndex {
  const all = roots.map((root) => {
    const files = root.filesOf(top)
    return { root, files, kinds: kindsOf(root, files) }
  })
  const owner = all.find(({ kinds }) => kinds.has(top) && kinds.get(top) !== FOLDER)
  const chosen = owner === undefined ? all.filter(({ kinds }) => kinds.size > 0) : [owner]
  const modules = new Map<string, Located & { readonly isPackage: boolean }>()
  const files = new Map<string, Located | string>()
  const taken = new Set<string>()
  for (const { root, files: those, kinds } of chosen) {
    for (const [name, kind] of kinds) {
      if (taken.has(name)) kinds.delete(name)
      else if (kind === MODULE || kind === PACKAGE) modules.set(name, sourceOf(root, name, kind))
    }
    for (const [name, kind] of kinds) if (kind !== FOLDER) taken.add(name)
    for (const { path, refused } of those) {
      files.set(`${root.base}/${path}`, refused ?? { root, path })
    }
  }
  return { portions: chosen.map(({ root, kinds }) => [root.base, kinds]), modules, files }
}

/** Whether the same names and files are there as before; not whether they are the same inside. */
export function isSameIndex(one: TopIndex, other: TopIndex | undefined): boolean {
  if (other === undefined || one.files.size !== other.files.size || one.portions.length !== other.portions.length)
    return false
  return (
    one.portions.every(([base, kinds], at) => {
      const [otherBase, otherKinds] = other.portions[at] ?? []
      return (
        base === otherBase &&
        kinds.size === otherKinds?.size &&
        [...kinds].every(([name, kind]) => otherKinds.get(name) === kind)
      )
    }) && [...one.files.keys()].every((path) => other.files.has(path))
  )
}

function sourceOf(root: Root, name: string, kind: ModuleKind): Located & { readonly isPackage: boolean } {
  const isPackage = kind === PACKAGE
  return { root, path: `${name.replaceAll('.', '/')}${isPackage ? '/__init__.py' : '.py'}`, isPackage }
}

/** Each name once: a package goes before a module, a module before compiled code, that before a folder. */
function kindsOf(root: Root, files: readonly RootFile[]): Map<string, ModuleKind> {
  const kinds = new Map<string, ModuleKind>()
  for (const { path, refused } of files) {
    const parts = path.split('/')
    const file = parts.pop() ?? ''
    if (!parts.every((part) => IDENTIFIER.test(part))) continue
    const [name, kind] = readName(`${root.path}/${path}`, parts, file, refused)
    if (name === undefined) continue
    if (rank(kind) < rank(kinds.get(name))) kinds.set(name, kind)
    for (let length = parts.length; length > 0; length--) {
      const folder = parts.slice(0, length).join('.')
      if (!kinds.has(folder)) kinds.set(folder, FOLDER)
    }
  }
  return kinds
}

function readName(
  whole: string,
  parts: readonly string[],
  file: string,
  refused: string | undefined,
): [name: string | undefined, kind: ModuleKind] {
  const stem = file.replace(/\.py$/, '')
  const [, compiled] = COMPILED.exec(file) ?? []
  const named = (last: string): string => [...parts, last].join('.')
  if (compiled !== undefined) {
    return [
      named(compiled),
      `${whole} is a C extension, which runs on one kind of machine only; install it on the other side`,
    ]
  }
  if (refused !== undefined) return [IDENTIFIER.test(stem) ? nameOf(parts, stem) : undefined, `${whole}: ${refused}`]
  if (stem === file || !IDENTIFIER.test(stem)) return [undefined, MODULE]
  return [nameOf(parts, stem), stem === '__init__' && parts.length > 0 ? PACKAGE : MODULE]
}

function nameOf(parts: readonly string[], stem: string): string {
  return stem === '__init__' && parts.length > 0 ? parts.join('.') : [...parts, stem].join('.')
}

function rank(kind: ModuleKind | undefined): number {
  if (kind === undefined) return 4
  return typeof kind === 'string' ? 2 : [PACKAGE, MODULE, undefined, FOLDER].indexOf(kind)
}
