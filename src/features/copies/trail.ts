/** The way from a folder to one further in (twin: trail.py). */
import type { Folder } from './folder.js'

const MOST_OPEN = 16 // however deep a tree is: those further up are opened again from below

/** The folders from the first one down to the one `here`. */
export class Trail {
  readonly #folders: [Folder, ...Folder[]]

  constructor(first: Folder) {
    this.#folders = [first]
  }

  get here(): Folder {
    return this.#folders.at(-1) ?? this.#folders[0]
  }

  get depth(): number {
    return this.#folders.length - 1
  }

  async enter(folder: Folder): Promise<Folder> {
    this.#folders.push(folder)
    if (this.depth > MOST_OPEN && folder.isOpen) await this.#folders.at(-1 - MOST_OPEN)?.setAside()
    return folder
  }

  /** Goes up; gives the folder that is left, still open. */
  async leave(): Promise<Folder> {
    const left = this.here
    if (this.depth > 0) this.#folders.pop()
    if (!this.here.isOpen && left.isOpen) await this.here.reopen(left)
    return left
  }

  /** Closes all but the first one, which belongs to whoever gave it. */
  async close(): Promise<void> {
    while (this.depth > 0) await this.#folders.pop()?.close()
  }
}
