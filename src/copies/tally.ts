/** Counts the items of a tree that pass by, whichever way (tree_reader.py says what they are). */
import type { CopyOptions, CopyReport, SkippedEntry } from './options.js'

const MAX_SKIPPED = 1000

/** Of one copy. */
export class Tally {
  readonly #onProgress: CopyOptions['onProgress']
  readonly #folders: string[] = []
  readonly #skipped: SkippedEntry[] = []
  #path = ''
  #counts = { files: 0, folders: 0, links: 0, bytes: 0 }
  #totals: { readonly files: number; readonly bytes: number } | undefined

  constructor(onProgress: CopyOptions['onProgress']) {
    this.#onProgress = onProgress
  }

  get report(): CopyReport {
    return { ...this.#counts, skipped: this.#skipped }
  }

  /** What all of it will be. */
  expect(files: number, bytes: number): void {
    this.#totals = { files, bytes }
  }

  count(item: unknown): void {
    const counts = this.#counts
    if (item instanceof Uint8Array) counts.bytes += item.length
    else if (typeof item === 'number') counts.bytes += item
    else if (item === null) counts.files++
    else if (Array.isArray(item)) this.#countEntry(item)
    this.#tell()
  }

  #countEntry([what, name, detail, , data]: readonly unknown[]): void {
    const counts = this.#counts
    switch (what) {
      case 'leave':
        this.#folders.pop()
        return
      case 'skipped':
        if (this.#skipped.length < MAX_SKIPPED) this.#skipped.push({ path: String(name), why: String(detail) })
        return
      case 'link':
        counts.links++
        break
      case 'folder':
        counts.folders++
        break
      case 'small':
        counts.files++
        counts.bytes += data instanceof Uint8Array ? data.length : 0
        break
    }
    const path = [...this.#folders, textOf(name)].filter(Boolean).join('/')
    if (what === 'folder') this.#folders.push(textOf(name))
    this.#path = path
  }

  #tell(): void {
    if (this.#onProgress === undefined) return
    const { bytes, files } = this.#counts
    const { bytes: totalBytes, files: totalFiles } = this.#totals ?? {}
    this.#onProgress({ path: this.#path, bytes, files, totalBytes, totalFiles })
  }
}

/** A name, for people. */
export function textOf(name: unknown): string {
  return name instanceof Uint8Array ? Buffer.from(name.buffer, name.byteOffset, name.length).toString() : ''
}
