/** What put and get are told, and what they tell. */
import type { WaitOptions } from '../../core.js'

/** One file, folder or link of a tree, for a filter. */
export interface CopyEntry {
  /** Where it is in the tree: `docs/index.md`. What is not UTF-8 in it is `�` here, and copied as it is. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  /** Bytes, of a file. */
  readonly size: number
}

/** How far a copy is. */
export interface CopyProgress {
  /** What is being copied: its path in the tree; empty when one file is all there is. */
  readonly path: string
  /** Bytes copied so far. */
  readonly bytes: number
  /** Files copied so far. */
  readonly files: number
  /** Bytes in all, as of the beginning; undefined for a stream. */
  readonly totalBytes: number | undefined
  /** Files in all; undefined for a stream. */
  readonly totalFiles: number | undefined
}

/** How to copy; `timeout` and `signal` are for the whole of it. */
export interface CopyOptions extends WaitOptions {
  /** Whether copies have the permissions and the modification times of what they are copies of; true when absent. */
  readonly preserve?: boolean | undefined
  /** Called for all that is in a folder: false leaves it out, a folder with all that is in it. */
  readonly filter?: ((entry: CopyEntry) => boolean) | undefined
  /** Called for every file, and every mebibyte. What is to be copied is counted first, then. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined
}

/** How to put. */
export interface PutOptions extends CopyOptions {
  /** The permissions of a file that is made of bytes, such as `0o600`; as the system has them for new files when absent. */
  readonly mode?: number | undefined
}

/** What has been copied. */
export interface CopyReport {
  readonly files: number
  readonly folders: number
  readonly links: number
  readonly bytes: number
  /** What was left out, with the reason: it vanished before its turn came, or it is a pipe, a socket or a device. The first thousand. */
  readonly skipped: readonly SkippedEntry[]
}

/** What was left out of a copy. */
export interface SkippedEntry {
  readonly path: string
  readonly why: string
}
