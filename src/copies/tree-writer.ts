/**
 * Makes a tree of items, under a name of its own beside the target: this side's half of get (twin: tree_writer.py; what the
 * items are says tree_reader.py). The worker is not trusted: a name is one name, and what is made is made anew, in a folder
 * that has been made anew, so that nothing can lead out of it.
 */
import { constants } from 'node:fs'
import { chmod, type FileHandle, mkdir, open, realpath, symlink, utimes } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Obstacle } from './fault.js'
import { checkPlace, makeStaging, remove, settle } from './staging.js'
import { CHUNK_BYTES, MODE_BITS } from './tree-reader.js'
import { joined } from './tree-walk.js'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants
const OWNER_MAY_ALL = 0o700
const unsafe = process.platform === 'win32' ? /[/\\:\0]/ : /[/\0]/

/** What is being made: its path, and what it is to be like when it is complete. */
interface Made {
  readonly path: Buffer
  readonly mode: number
  readonly modified: number
}

interface OpenFile {
  readonly handle: FileHandle
  readonly made: Made
  position: number
  /** When all is written that has come. */
  written: Promise<void>
}

/** Writes one tree. */
export class TreeWriter {
  /** What it is busy with, for errors. */
  at: Buffer
  #target: string
  readonly #preserve: boolean
  readonly #folders: Made[] = []
  #staging: Buffer | undefined
  #file: OpenFile | undefined

  constructor(target: string, preserve: boolean) {
    this.#target = resolve(target)
    this.at = Buffer.from(this.#target)
    this.#preserve = preserve
  }

  async take(item: unknown): Promise<void> {
    if (item instanceof Uint8Array) return this.#write(item)
    if (typeof item === 'number') return this.#leap(item)
    if (item === null) return this.#endFile()
    const [what, name, ...details] = Array.isArray(item) ? (item as readonly unknown[]) : []
    switch (what) {
      case 'folder':
        return this.#beginFolder(name, details)
      case 'leave':
        return this.#leave()
      case 'small':
        await this.#beginFile(name, details)
        await this.#write(details[2])
        return this.#endFile()
      case 'file':
        return this.#beginFile(name, details)
      case 'link':
        return symlink(bytesOf(details[0]), await this.#place(name, false))
      default:
        throw nonsense(item)
    }
  }

  /** Puts what has been made into its place. */
  async settle(): Promise<void> {
    if (this.#staging === undefined || this.#file !== undefined || this.#folders.length > 0)
      throw nonsense('an early end')
    this.at = Buffer.from(this.#target)
    await settle(this.#staging, this.at)
  }

  /** Removes whatever has not been put into its place. */
  async discard(): Promise<void> {
    await this.#file?.handle.close()
    if (this.#staging !== undefined) await remove(this.#staging)
  }

  /** The path of something new. */
  async #place(name: unknown, isFolder: boolean): Promise<Buffer> {
    if (this.#file !== undefined) throw nonsense('a file in a file')
    const folder = this.#folders.at(-1)
    if (folder === undefined) return this.#begin(isFolder)
    const bytes = bytesOf(name)
    const text = bytes.toString('latin1')
    if (text === '' || text === '.' || text === '..' || unsafe.test(text))
      throw nonsense(`the name ${JSON.stringify(text)}`)
    const path = joined(folder.path, bytes)
    this.at = Buffer.concat([Buffer.from(this.#target), path.subarray(this.#staging?.length)])
    return path
  }

  async #begin(isFolder: boolean): Promise<Buffer> {
    if (this.#staging !== undefined) throw nonsense('a second root')
    this.#target = await realpath(this.#target).catch(() => this.#target)
    await checkPlace(isFolder, Buffer.from(this.#target))
    this.#staging = await makeStaging(this.#target)
    return this.#staging
  }

  async #beginFolder(name: unknown, details: readonly unknown[]): Promise<void> {
    const made = { path: await this.#place(name, true), ...settingsOf(details) }
    await mkdir(made.path, this.#preserve ? OWNER_MAY_ALL : made.mode | OWNER_MAY_ALL)
    this.#folders.push(made)
  }

  async #leave(): Promise<void> {
    const made = this.#folders.pop()
    if (made === undefined || this.#file !== undefined) throw nonsense('the end of no folder')
    await this.#finish(made)
  }

  async #beginFile(name: unknown, details: readonly unknown[]): Promise<void> {
    const made = { path: await this.#place(name, false), ...settingsOf(details) }
    const handle = await open(made.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, this.#preserve ? 0o600 : made.mode)
    this.#file = { handle, made, position: 0, written: Promise.resolve() }
  }

  /** Returns when the bytes before these are written: these are, while the next ones arrive. */
  async #write(data: unknown): Promise<void> {
    const file = this.#file
    const bytes = bytesOf(data)
    if (file === undefined) throw nonsense('bytes of no file')
    await file.written
    file.written = writeAt(file.handle, file.position, bytes)
    file.written.catch(() => undefined)
    file.position += bytes.length
  }

  #leap(size: number): void {
    if (this.#file === undefined || !Number.isSafeInteger(size) || size < 0) throw nonsense(size)
    this.#file.position += size
  }

  async #endFile(): Promise<void> {
    const file = this.#file
    if (file === undefined) throw nonsense('the end of no file')
    try {
      await file.written
      await file.handle.truncate(file.position) // a hole at the end is none until now
    } finally {
      this.#file = undefined
      await file.handle.close()
    }
    await this.#finish(file.made)
  }

  async #finish({ path, mode, modified }: Made): Promise<void> {
    if (!this.#preserve) return
    await chmod(path, mode)
    await utimes(path, modified, modified)
  }
}

async function writeAt(handle: FileHandle, position: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, CHUNK_BYTES), position + at)
    at += bytesWritten
  }
}

function settingsOf([mode, modified]: readonly unknown[]): { readonly mode: number; readonly modified: number } {
  if (typeof mode !== 'number' || typeof modified !== 'number') throw nonsense([mode, modified])
  return { mode: mode & MODE_BITS, modified: (modified + 0.5) / 1e6 } // half a microsecond: as a float it may be a little less
}

function bytesOf(data: unknown): Buffer {
  if (!(data instanceof Uint8Array)) throw nonsense(data)
  return Buffer.from(data.buffer, data.byteOffset, data.length)
}

/** A worker of ours sends none of this. */
function nonsense(what: unknown): Error {
  const text = typeof what === 'string' ? what : `a ${what === null ? 'null' : typeof what}`
  return new Obstacle('EPROTO', `the worker sent ${text}, which cannot be`)
}
