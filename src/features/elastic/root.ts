/** Where modules are provided from: a folder of the file system (this file), or a wheel (wheel.ts). */
import { type Dirent, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { asError, ProvideError, resolveHere } from '../../core.js'

/** A file below a root. */
export interface RootFile {
  /** Below its base, with slashes: `mypkg/mod.py`. */
  readonly path: string
  /** Why it is not given to anybody. */
  readonly refused?: string | undefined
}

/** A place that modules are provided from. */
export interface Root {
  /** Tells it from others. */
  readonly id: string
  /** What it is called in errors. */
  readonly path: string
  /** What the paths of its files count from, with slashes: their names in tracebacks are `base/path`. */
  readonly base: string
  /** The names of modules and packages right below it. */
  topLevelNames(): ReadonlySet<string>
  /** All files of a top-level module or package. */
  filesOf(top: string): RootFile[]
  /** The same place as it is now. */
  reopened(): Root
  /** @throws When the file is gone, or leads out of the root. */
  read(path: string): Buffer
}

/** A module's name, alone or before what says how it was compiled. */
const ENTRY = /^([\p{L}_][\p{L}\p{N}_]*)(?:\.py|(?:\.[\w-]+)*\.(?:so|pyd))?$/u
// A folder that was changed so shortly before it was listed may change once more within one step of its file system's clock.
const COARSE_MS = 2000
const IGNORED = new Set(['__pycache__', '.git', '.hg', '.svn', 'node_modules'])

/** What lay right in a folder when it was listed. */
interface Listing {
  /** When the folder had changed last. */
  readonly mtimeMs: number
  readonly at: number
  readonly entries: ReadonlyMap<string, readonly Dirent[]>
}

/** A folder that holds modules and packages. */
export class FolderRoot implements Root {
  readonly id: string
  readonly path: string
  readonly base: string
  readonly #real: string
  readonly #only: ReadonlySet<string> | undefined
  #listing: Listing | undefined

  /**
   * @param only - The top-level names that are meant; all when absent.
   * @throws {@link ProvideError} when it is no folder that can be read.
   */
  constructor(path: string, only?: ReadonlySet<string>) {
    this.path = resolveHere(path)
    this.base = this.path.split(sep).join('/').replace(/\/$/, '')
    this.id = [this.path, ...(only ?? [])].join('\n')
    this.#only = only
    this.#list()
    this.#real = realpathSync(this.path)
  }

  topLevelNames(): ReadonlySet<string> {
    const names = new Set<string>()
    for (const [name, entries] of this.#list()) {
      if (this.#only?.has(name) === false) continue
      const isOne = (entry: Dirent): boolean =>
        !IGNORED.has(entry.name) &&
        (isFolder(join(this.path, entry.name), entry) ? this.#holdsModules(name) : entry.name !== name)
      if (entries.some(isOne)) names.add(name)
    }
    return names
  }

  filesOf(top: string): RootFile[] {
    const files: RootFile[] = []
    for (const entry of this.#list().get(top) ?? []) this.#walk(entry, entry.name, [this.#real], files)
    return files
  }

  reopened(): Root {
    return this // its files are looked at whenever somebody asks
  }

  read(path: string): Buffer {
    const file = join(this.path, path)
    const refused = this.#escapeOf(file)
    if (refused !== undefined) throw new ProvideError(`${file}: ${refused}`, { path: file })
    if (!statSync(file).isFile()) throw new ProvideError(`${file} is no file`, { path: file })
    return readFileSync(file)
  }

  /** What lies right in it, by the names of modules. It is asked once for every module that is imported: while the folder is as it was, it is not read again. */
  #list(): Listing['entries'] {
    try {
      const { mtimeMs } = statSync(this.path)
      if (this.#listing?.mtimeMs !== mtimeMs || this.#listing.at - mtimeMs < COARSE_MS)
        this.#listing = { mtimeMs, at: Date.now(), entries: byModule(readdirSync(this.path, { withFileTypes: true })) }
      return this.#listing.entries
    } catch (cause) {
      const detail = asError(cause).message
      const message = `cannot provide ${this.path}: ${detail}. roots takes folders that hold modules`
      throw new ProvideError(message, { path: this.path, cause })
    }
  }

  /** A folder without `__init__.py` counts when modules lie in it, or in a folder of it: nobody walks through all of them to know. */
  #holdsModules(name: string): boolean {
    const isModule = (file: string): boolean => file.endsWith('.py')
    const folder = join(this.path, name)
    const names = namesIn(folder)
    return (
      names.some(isModule) || names.some((child) => !IGNORED.has(child) && namesIn(join(folder, child)).some(isModule))
    )
  }

  /** @param above - The real paths of the folders that it lies in: a link to one of them has no end. */
  #walk(entry: Dirent, path: string, above: readonly string[], files: RootFile[]): void {
    const file = join(this.path, path)
    const refused = entry.isSymbolicLink() ? this.#escapeOf(file) : undefined
    if (refused !== undefined) return void files.push({ path, refused })
    if (!isFolder(file, entry)) return void (entry.name.endsWith('.pyc') || files.push({ path }))
    const real = entry.isSymbolicLink() ? realpathSync(file) : join(above.at(-1) ?? '', entry.name)
    if (IGNORED.has(entry.name) || above.includes(real)) return
    try {
      for (const child of readdirSync(file, { withFileTypes: true })) {
        this.#walk(child, `${path}/${child.name}`, [...above, real], files)
      }
    } catch (error) {
      files.push({ path, refused: `it cannot be read: ${asError(error).message}` })
    }
  }

  #escapeOf(file: string): string | undefined {
    let real: string
    try {
      real = realpathSync(file)
    } catch (error) {
      return lstatSync(file, { throwIfNoEntry: false }) === undefined
        ? `it is gone; it was there when ${this.path} was looked through. Call provide() again`
        : `it cannot be followed: ${asError(error).message}`
    }
    const inside = relative(this.#real, real)
    if (inside !== '..' && !inside.startsWith(`..${sep}`) && resolve(this.#real, inside) === real) return undefined
    return `it leads out of ${this.path}, to ${real}. Give that folder as a root of its own, or copy the file`
  }
}

function byModule(entries: readonly Dirent[]): Listing['entries'] {
  const named = new Map<string, Dirent[]>()
  for (const entry of entries) {
    const [, name] = ENTRY.exec(entry.name) ?? []
    if (name === undefined) continue
    const others = named.get(name)
    if (others === undefined) named.set(name, [entry])
    else others.push(entry)
  }
  return named
}

function isFolder(path: string, entry: Dirent): boolean {
  return (
    entry.isDirectory() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
  )
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // no folder, or one that nobody may read: nothing can be provided from it
  }
}
