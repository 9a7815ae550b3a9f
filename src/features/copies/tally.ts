/** Counts the items of a tree that pass by, whichever way (tree_reader.py says what they are). */
import { messages } from '../../core.js'
import type { CopyOptions, CopyReport, SkippedEntry } from './options.js'

const MAX_SKIPPED = 1000

/** Of one copy. */
export class Tally {
  readonly #onProgress: CopyOptions['onProgress']
  readonly #folders: string[] = []
  readonly #skipped: SkippedEntry[] = []
  #name = ''
  #counts = { files: 0, folders: 0, links: 0, bytes: 0 }
  #totals: { readonly files: number; readonly bytes: number } | undefined

  constructor(onProgress: CopyOptions['onProgress']) {
    this.#onProgress = onProgress
  }

  get report(): CopyReport {
    return { ...this.#counts, skipped: this.#skipped }
  }

  count(item: unknown): void {
    const counts = this.#counts
    if (item instanceof Uint8Array) counts.bytes += item.length
    else if (typeof item === 'number') counts.bytes += item
    else if (item === null) counts.files++
    else if (!Array.isArray(item) || !this.#countEntry(item)) return
    this.#tell()
  }

  /** Returns whether it is a file that is complete. */
  #countEntry([what, name, detail, , data]: readonly unknown[]): boolean {
    const counts = this.#counts
    switch (what) {
      case 'total':
        this.#totals = { files: sizeOf(name), bytes: sizeOf(detail) }
        break
      case 'skipped':
        if (this.#skipped.length < MAX_SKIPPED)
          this.#skipped.push({ path: messages.said(name), why: messages.said(detail) })
        break
      case 'leave':
        this.#folders.pop()
        break
      case 'link':
        counts.links++
        break
      case 'folder':
        counts.folders++
        this.#folders.push(textOf(name))
        break
      case 'small':
        counts.files++
        counts.bytes += data instanceof Uint8Array ? data.length : 0
        this.#name = textOf(name)
        break
      case 'file':
        this.#name = textOf(name)
        break
    }
    return what === 'small'
  }

  #tell(): void {
    if (this.#onProgress === undefined) return
    const { bytes, files } = this.#counts
    const { bytes: totalBytes, files: totalFiles } = this.#totals ?? {}
    const path = [...this.#folders, this.#name].filter(Boolean).join('/')
    this.#onProgress({ path, bytes, files, totalBytes, totalFiles })
  }
}

/** How many, or how long. */
export function sizeOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** A name, for people. */
export function textOf(name: unknown): string {
  return name instanceof Uint8Array ? Buffer.from(name.buffer, name.byteOffset, name.length).toString() : ''
}
