/** Where modules are provided from: a folder of the file system (this file), or a wheel (wheel.ts). */
import { type Dirent, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { ProvideError } from '../errors.js'

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
const IGNORED = new Set(['__pycache__', '.git', '.hg', '.svn', 'node_modules'])

/** A folder that holds modules and packages. */
export class FolderRoot implements Root {
  readonly id: string
  readonly path: string
  readonly base: string
  readonly #real: string
  readonly #only: ReadonlySet<string> | undefined

  /**
   * @param only - The top-level names that are meant; all when absent.
   * @throws {@link ProvideError} when it is no folder that can be read.
   */
  constructor(path: string, only?: ReadonlySet<string>) {
    this.path = resolve(path)
    this.base = this.path.split(sep).join('/').replace(/\/$/, '')
    this.id = [this.path, ...(only ?? [])].join('\n')
    this.#only = only
    this.#entries()
    this.#real = realpathSync(this.path)
  }

  topLevelNames(): ReadonlySet<string> {
    const names = new Set<string>()
    for (const entry of this.#entries()) {
      const [, name] = ENTRY.exec(entry.name) ?? []
      if (name === undefined || IGNORED.has(entry.name) || this.#only?.has(name) === false) continue
      if (!isFolder(join(this.path, entry.name), entry) ? entry.name !== name : this.#holdsModules(name))
        names.add(name)
    }
    return names
  }

  filesOf(top: string): RootFile[] {
    const files: RootFile[] = []
    for (const entry of this.#entries()) {
      if (ENTRY.exec(entry.name)?.[1] === top) this.#walk(entry, entry.name, [this.#real], files)
    }
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

  #entries(): Dirent[] {
    try {
      return readdirSync(this.path, { withFileTypes: true })
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
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
      files.push({ path, refused: `it cannot be read: ${error instanceof Error ? error.message : String(error)}` })
    }
  }

  #escapeOf(file: string): string | undefined {
    let real: string
    try {
      real = realpathSync(file)
    } catch (error) {
      return lstatSync(file, { throwIfNoEntry: false }) === undefined
        ? `it is gone; it was there when ${this.path} was looked through. Call provide() again`
        : `it cannot be followed: ${error instanceof Error ? error.message : String(error)}`
    }
    const inside = relative(this.#real, real)
    if (inside !== '..' && !inside.startsWith(`..${sep}`) && resolve(this.#real, inside) === real) return undefined
    return `it leads out of ${this.path}, to ${real}. Give that folder as a root of its own, or copy the file`
  }
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
