/** Tells a tree of this machine as items: this side's half of put (twin: tree_reader.py, which says what the items are). */
import { constants, type Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { isBytes, resolveHere } from '../../core.js'
import { codeOf, Obstacle } from './fault.js'
import { Gone, MODE_BITS } from './folder.js'
import type { CopyEntry, CopyOptions } from './options.js'
import { resolvePlace } from './resolving.js'
import { isStaging } from './staging.js'
import { Trail } from './trail.js'

export const CHUNK_BYTES: number = 1024 * 1024
const SMALL_BYTES = 65_536
const FLOAT_ERROR = 0.2 // microseconds: what a time of these days may lack as a float
const BLOCK_BYTES = 512 // of `stats.blocks`, whatever the file system has

/** Something in a tree. */
interface Found {
  readonly name: Buffer
  readonly stats: Stats
}

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
const zeros = Buffer.alloc(CHUNK_BYTES)

/** Reads one tree. `at` is what it is busy with, for errors. */
export class TreeReader {
  at: Buffer
  readonly #root: Buffer
  readonly #filter: CopyOptions['filter']
  #notes: unknown[] = []

  constructor(root: string, filter: CopyOptions['filter']) {
    this.#root = Buffer.from(root)
    this.at = this.#root
    this.#filter = filter
  }

  /** The items; with `measures`, ahead of them how much there is. */
  async *items(measures: boolean): AsyncGenerator<unknown> {
    // What is named is meant, link or not; links in it stay links.
    const { folder, name } = await resolvePlace(resolveHere(String(this.#root)), true)
    const trail = new Trail(folder)
    try {
      const stats = await folder.look(name)
      if (stats.isSymbolicLink()) throw new Obstacle('ENOENT', 'it is a link that leads nowhere')
      const steps = this.#walk(trail, { name, stats })
      for await (const step of measures ? this.#measured(trail, steps) : steps) {
        if (step === undefined) yield ['leave']
        else if (Array.isArray(step)) yield step
        else yield* this.#told(trail, step)
        yield* this.#notes.splice(0)
      }
    } finally {
      await trail.close()
      await folder.close()
    }
    yield ['done']
  }

  /** Gives all that there is, a folder before what is in it, and `undefined` behind that. The trail leads to where each is. */
  async *#walk(trail: Trail, root: Found): AsyncGenerator<Found | undefined> {
    yield root
    if (!root.stats.isDirectory()) return
    const open = [this.#entriesOf(trail, root.name)]
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = await top.next()
      if (next.done === true) {
        open.pop()
        await (await trail.leave()).close()
        yield undefined
        continue
      }
      yield next.value
      if (next.value.stats.isDirectory()) open.push(this.#entriesOf(trail, next.value.name))
    }
  }

  /** All that there was, told anew from a list; how much it is goes ahead. */
  async *#measured(
    trail: Trail,
    steps: AsyncIterable<Found | undefined>,
  ): AsyncGenerator<Found | undefined | unknown[]> {
    const all: (Found | undefined)[] = []
    for await (const step of steps) all.push(step)
    const files = all.filter((step) => step?.stats.isFile())
    yield ['total', files.length, files.reduce((sum, step) => sum + (step?.stats.size ?? 0), 0)]
    for (const step of all) {
      if (step === undefined) await (await trail.leave()).close()
      yield step
      if (step?.stats.isDirectory() === true) await this.#enter(trail, step.name)
    }
  }

  async *#told(trail: Trail, found: Found): AsyncGenerator<unknown> {
    const { name, stats } = found
    this.at = this.#pathOf(trail, name)
    const shown = trail.depth === 0 ? Buffer.alloc(0) : name
    if (stats.isDirectory()) yield ['folder', shown, ...settings(stats)]
    else if (stats.isFile()) yield* this.#file(trail, name, shown)
    else if (stats.isSymbolicLink()) yield* this.#link(trail, name)
    else this.#skip(trail, 'it is neither a file, a folder nor a link')
  }

  #pathOf(trail: Trail, name: Buffer): Buffer {
    return trail.depth === 0 ? this.#root : trail.here.pathOf(name)
  }

  async *#entriesOf(trail: Trail, folder: Buffer): AsyncGenerator<Found> {
    this.at = this.#pathOf(trail, folder)
    if (!(await this.#enter(trail, folder))) {
      this.#skip(trail, 'it vanished')
      return
    }
    // A copy into the tree itself is being made in it.
    const names = (await trail.here.names()).filter((name) => !isStaging(name))
    for (const name of names.sort(Buffer.compare)) {
      this.at = this.#pathOf(trail, name)
      const stats = await trail.here.look(name).catch(ifGone)
      if (stats !== undefined && this.#isWanted(stats)) yield { name, stats }
    }
  }

  /** Whether the folder was still there; if not, what is looked for in it is not there either. */
  async #enter(trail: Trail, name: Buffer): Promise<boolean> {
    const path = this.#pathOf(trail, name)
    const folder = await trail.here.enter(name).catch((error: unknown) => {
      if (!isGone(error) || trail.depth === 0) throw error
      return new Gone(path)
    })
    folder.path = path
    await trail.enter(folder)
    return !(folder instanceof Gone)
  }

  #isWanted(stats: Stats): boolean {
    if (this.#filter === undefined) return true
    const inside = this.at.subarray(this.#root.length).toString().replaceAll('\\', '/').replace(/^\/+/, '')
    return this.#filter({ path: inside, kind: kindOf(stats), size: stats.size })
  }

  async *#link(trail: Trail, name: Buffer): AsyncGenerator<unknown> {
    const target = await trail.here.readLink(name).catch(ifGone)
    if (target === undefined) this.#skip(trail, 'it vanished')
    else yield ['link', name, target]
  }

  async *#file(trail: Trail, name: Buffer, shown: Buffer): AsyncGenerator<unknown> {
    // A link that has taken its place is not followed, a pipe not waited for.
    const file = await trail.here.open(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW).catch((error: unknown) => {
      if (trail.depth === 0) throw error
      return ifGone(error)
    })
    if (file === undefined) return this.#skip(trail, 'it vanished')
    try {
      const stats = await file.stat()
      if (!stats.isFile()) return this.#skip(trail, 'it is no file any more')
      yield* fileItems(file, stats, shown)
    } finally {
      await file.close()
    }
  }

  #skip(trail: Trail, why: string): void {
    if (trail.depth === 0) throw new Obstacle('EINVAL', why)
    this.#notes.push(['skipped', String(this.at), why])
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
  return ['ENOENT', 'ELOOP', 'EINVAL', 'ENOTDIR'].includes(codeOf(error) ?? '')
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
  if (isBytes(content)) yield ['total', 1, content.length]
  yield ['file', ...about, 0]
  for await (const chunk of isBytes(content) ? [content] : content) {
    if (!isBytes(chunk)) throw new TypeError(`put takes bytes, and a stream of bytes, not of ${typeof chunk}`)
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) yield chunk.subarray(at, at + CHUNK_BYTES)
  }
  yield null
  yield ['done']
}
