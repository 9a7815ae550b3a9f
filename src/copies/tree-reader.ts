/** Tells a tree of this machine as items: this side's half of put (twin: tree_reader.py, which says what the items are). */
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readdir, readlink, stat } from 'node:fs/promises'
import { Obstacle } from './fault.js'
import type { CopyEntry, CopyOptions } from './options.js'
import { type Found, joined, walk } from './tree-walk.js'

export const CHUNK_BYTES: number = 1024 * 1024
const SMALL_BYTES = 65_536
const FLOAT_ERROR = 0.2 // microseconds: what a time of these days may lack as a float
const BLOCK_BYTES = 512 // of `stats.blocks`, whatever the file system has
/** Never setuid, setgid or sticky: whoever owned the file may be somebody else there. */
export const MODE_BITS = 0o777

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
const zeros = Buffer.alloc(CHUNK_BYTES)

/** Reads one tree. `at` is what it is busy with, for errors. */
export class TreeReader {
  at: Buffer
  readonly #root: Buffer
  readonly #filter: CopyOptions['filter']
  readonly #skipped: (path: Buffer, why: string) => void
  #notes: unknown[] = []

  constructor(root: string, filter: CopyOptions['filter']) {
    this.#root = Buffer.from(root)
    this.at = this.#root
    this.#filter = filter
    this.#skipped = (path, why) => void this.#notes.push(['skipped', path.toString(), why])
  }

  /** The items; with `measures`, ahead of them how much there is. */
  async *items(measures: boolean): AsyncGenerator<unknown> {
    // What is named is meant, link or not; links in it stay links.
    const root = { path: this.#root, name: Buffer.alloc(0), stats: await stat(this.#root) }
    const steps = walk(root, (folder) => this.#entriesOf(folder))
    yield* measures ? this.#measured(steps) : this.#told(steps)
    yield ['done']
  }

  async *#measured(steps: AsyncIterable<Found | undefined>): AsyncGenerator<unknown> {
    const all: (Found | undefined)[] = []
    for await (const step of steps) all.push(step)
    const files = all.filter((step) => step?.stats.isFile())
    yield ['total', files.length, files.reduce((sum, step) => sum + (step?.stats.size ?? 0), 0)]
    yield* this.#told(all)
  }

  async *#told(steps: AsyncIterable<Found | undefined> | Iterable<Found | undefined>): AsyncGenerator<unknown> {
    for await (const step of steps) {
      if (step === undefined) yield ['leave']
      else yield* this.#step(step)
      yield* this.#notes.splice(0)
    }
  }

  async *#step(found: Found): AsyncGenerator<unknown> {
    const { path, name, stats } = found
    this.at = path
    if (stats.isDirectory()) yield ['folder', name, ...settings(stats)]
    else if (stats.isFile()) yield* this.#file(found)
    else if (stats.isSymbolicLink()) yield* this.#link(found)
    else this.#skip(found, 'it is neither a file, a folder nor a link')
  }

  async *#entriesOf(folder: Buffer): AsyncGenerator<Found> {
    this.at = folder
    const names = await readdir(folder, { encoding: 'buffer' }).catch((error: unknown) => {
      if (!isGone(error) || folder === this.#root) throw error
      this.#skipped(folder, 'it vanished')
      return []
    })
    for (const name of names.sort(Buffer.compare)) {
      const path = joined(folder, name)
      this.at = path
      const stats = await lstat(path).catch(ifGone)
      if (stats !== undefined && this.#isWanted({ path, name, stats })) yield { path, name, stats }
    }
  }

  #isWanted({ path, stats }: Found): boolean {
    if (this.#filter === undefined) return true
    const inside = path.subarray(this.#root.length).toString().replaceAll('\\', '/').replace(/^\/+/, '')
    return this.#filter({ path: inside, kind: kindOf(stats), size: stats.size })
  }

  async *#link(found: Found): AsyncGenerator<unknown> {
    const target = await readlink(found.path, { encoding: 'buffer' }).catch(ifGone)
    if (target === undefined) this.#skip(found, 'it vanished')
    else yield ['link', found.name, target]
  }

  async *#file(found: Found): AsyncGenerator<unknown> {
    const { path, name } = found
    // A link that has taken its place is not followed, a pipe not waited for.
    const file = await open(path, O_RDONLY | O_NONBLOCK | (name.length === 0 ? 0 : O_NOFOLLOW)).catch(
      (error: unknown) => (name.length === 0 ? Promise.reject(error) : ifGone(error)),
    )
    if (file === undefined) return this.#skip(found, 'it vanished')
    try {
      const stats = await file.stat()
      if (!stats.isFile()) return this.#skip(found, 'it is no file any more')
      yield* fileItems(file, stats, name)
    } finally {
      await file.close()
    }
  }

  #skip({ path, name }: Found, why: string): void {
    if (name.length === 0) throw new Obstacle('EINVAL', why)
    this.#skipped(path, why)
  }
}

/** A file, no further than it goes now, or one that grows might never end. Files that the system makes up as they are read say 0. */
async function* fileItems(file: FileHandle, stats: Stats, name: Buffer): AsyncGenerator<unknown> {
  const end = stats.size || Number.MAX_SAFE_INTEGER
  const data = await readAt(file, 0, Buffer.alloc(Math.min(end, SMALL_BYTES)))
  if (data.length < SMALL_BYTES || end === SMALL_BYTES) return yield ['small', name, ...settings(stats), data]
  yield ['file', name, ...settings(stats), stats.size]
  yield data
  const isSparse = stats.blocks * BLOCK_BYTES < stats.size
  // The next chunk is read while this one leaves; bytes that were sent may not have left yet, a hole leaves its buffer behind.
  const readNext = (at: number, buffer: Buffer): Promise<Buffer> => {
    const chunk = readAt(file, at, buffer.subarray(0, end - at))
    chunk.catch(() => undefined)
    return chunk
  }
  let at = data.length
  let next = readNext(at, Buffer.allocUnsafeSlow(CHUNK_BYTES))
  for (let chunk = await next; chunk.length > 0; chunk = await next) {
    at += chunk.length
    const isHole = isSparse && chunk.equals(zeros.subarray(0, chunk.length))
    next = readNext(at, isHole ? chunk : Buffer.allocUnsafeSlow(CHUNK_BYTES))
    yield isHole ? chunk.length : chunk
  }
  yield null
}

/** Fills the buffer with what is there from `position` on; less only at the end of the file. */
async function readAt(file: FileHandle, position: number, buffer: Buffer): Promise<Buffer> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

function settings(stats: Stats): [mode: number, modified: number] {
  return [stats.mode & MODE_BITS, Math.floor(stats.mtimeMs * 1000 + FLOAT_ERROR)]
}

function kindOf(stats: Stats): CopyEntry['kind'] {
  return stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'file'
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ELOOP', 'EINVAL'].includes(String(error.code))
}

function ifGone(error: unknown): undefined {
  if (!isGone(error)) throw error
}

/** Bytes that are no file of this machine's, as the items of one. */
export async function* contentItems(
  content: Uint8Array | AsyncIterable<Uint8Array>,
  mode: number | undefined,
): AsyncGenerator<unknown> {
  const about = [Buffer.alloc(0), mode ?? null, null]
  if (content instanceof Uint8Array) yield ['total', 1, content.length]
  yield ['file', ...about, 0]
  for await (const chunk of content instanceof Uint8Array ? [content] : content) {
    if (!(chunk instanceof Uint8Array))
      throw new TypeError(`put takes bytes, and a stream of bytes, not of ${typeof chunk}`)
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) yield chunk.subarray(at, at + CHUNK_BYTES)
  }
  yield null
  yield ['done']
}
