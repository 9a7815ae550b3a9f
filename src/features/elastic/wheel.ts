/** A wheel as a root: its members are provided as if it had been installed. */
import { sep } from 'node:path'
import { asError, ProvideError, resolveHere } from '../../core.js'
import type { Root, RootFile } from './root.js'
import { ZipFile } from './zip-file.js'

const COMPILED = /\.(so|pyd|dylib|dll)$/
// What an installer would put beside the packages: PEP 427.
const INSTALLED = /^[^/]+\.data\/(?:purelib|platlib)\/(.+)$/

/** The modules of a wheel. */
export class WheelRoot implements Root {
  readonly id: string
  readonly path: string
  readonly base: string
  readonly #zip: ZipFile
  readonly #members = new Map<string, string>()

  /** @throws {@link ProvideError} when it cannot be read, or holds compiled code, which would be another's to run. */
  constructor(path: string) {
    this.path = resolveHere(path)
    this.id = this.path
    this.base = this.path.split(sep).join('/')
    try {
      this.#zip = new ZipFile(this.path)
    } catch (cause) {
      if (cause instanceof ProvideError) throw cause
      const detail = asError(cause).message
      throw new ProvideError(`cannot provide ${this.path}: ${detail}`, { path: this.path, cause })
    }
    for (const name of this.#zip.names) this.#members.set(INSTALLED.exec(name)?.[1] ?? name, name)
    this.#refuse((name) => COMPILED.test(name), 'it holds compiled code, which runs on one kind of machine only:')
    this.#refuse(
      (name) => name.split('/').includes('..') || name.startsWith('/'),
      'it has members that lead out of it:',
    )
  }

  topLevelNames(): ReadonlySet<string> {
    const tops = [...this.#members.keys()].flatMap(
      (path) => /^([\p{L}_][\p{L}\p{N}_]*)(?:\.py$|\/.*\.py$)/u.exec(path)?.[1] ?? [],
    )
    return new Set(tops)
  }

  filesOf(top: string): RootFile[] {
    const paths = [...this.#members.keys()].filter((path) => path === `${top}.py` || path.startsWith(`${top}/`))
    return paths.map((path) => ({ path }))
  }

  reopened(): Root {
    return new WheelRoot(this.path)
  }

  read(path: string): Buffer {
    return this.#zip.read(this.#members.get(path) ?? path)
  }

  #refuse(isBad: (name: string) => boolean, reason: string): void {
    const [first, ...others] = [...this.#members.keys()].filter(isBad)
    if (first === undefined) return
    const count = others.length === 0 ? '' : ` and ${others.length} more`
    throw new ProvideError(`cannot provide ${this.path}: ${reason} ${first}${count}. Install it on the other side`, {
      path: this.path,
    })
  }
}
