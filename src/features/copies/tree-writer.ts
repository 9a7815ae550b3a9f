/**
 * Makes a tree of items, under a name of its own beside the target: this side's half of get (twin: tree_writer.py; what the
 * items are says tree_reader.py). The worker is not trusted: a name is one name, and what is made is made anew, in a folder
 * that has been made anew, so that nothing can lead out of it.
 */
import type { FileHandle } from 'node:fs/promises'
import { messages, resolveHere } from '../../core.js'
import { Obstacle } from './fault.js'
import { MODE_BITS, OWNER_MAY_ALL, setTimes } from './folder.js'
import { type Place, resolvePlace } from './resolving.js'
import { checkPlace, settle } from './settling.js'
import { COPY, CREATE, Staging } from './staging.js'
import { Trail } from './trail.js'
import { CHUNK_BYTES } from './tree-reader.js'

const unsafe = process.platform === 'win32' ? /[/\\:\0]/ : /[/\0]/
const LATEST = 2 ** 62 // microseconds; far beyond what systems keep

/** What something that is being made is to be like when it is complete. */
interface Settings {
  readonly mode: number
  /** Seconds. */
  readonly modified: number
}

interface OpenFile {
  readonly handle: FileHandle
  readonly settings: Settings
  position: number
  /** Whether it ends in a hole, as far as has come. */
  endsInHole: boolean
  /** When all is written that has come. */
  written: Promise<void>
}

/** Writes one tree. */
export class TreeWriter {
  /** What it is busy with, for errors. */
  at: Buffer
  /** What has come to its place. */
  readonly renewed: Buffer[] = []
  readonly #target: string
  readonly #preserve: boolean
  readonly #folders: Settings[] = []
  #place: Place | undefined
  #staging: Staging | undefined
  #trail: Trail | undefined
  #file: OpenFile | undefined

  constructor(target: string, preserve: boolean) {
    this.#target = resolveHere(target)
    this.at = Buffer.from(this.#target)
    this.#preserve = preserve
  }

  async take(item: unknown): Promise<void> {
    await this.#staging?.touch()
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
        return this.#makeLink(name, details)
      default:
        throw nonsense(messages.seen(item))
    }
  }

  /** Puts what has been made into its place. */
  async settle(): Promise<void> {
    const [place, staging] = [this.#place, this.#staging]
    if (place === undefined || staging === undefined || this.#file !== undefined || this.#folders.length > 0)
      throw nonsense('an early end')
    this.at = Buffer.from(this.#target)
    await settle(this, staging.folder, place, this.#preserve)
  }

  /** Removes whatever has not been put into its place. */
  async discard(): Promise<void> {
    try {
      await this.#file?.handle.close()
      await this.#trail?.close()
      await this.#staging?.discard()
    } finally {
      await this.#place?.folder.close()
    }
  }

  /** Where something new goes. */
  async #placeOf(name: unknown, isFolder: boolean): Promise<Place> {
    if (this.#file !== undefined) throw nonsense('a file in a file')
    if (this.#trail === undefined) return this.#begin(isFolder)
    if (this.#folders.length === 0) throw nonsense('a second root')
    const bytes = bytesOf(name)
    const text = bytes.toString('latin1')
    if (text === '' || text === '.' || text === '..' || unsafe.test(text))
      throw nonsense(`the name ${messages.seen(text)}`)
    const folder = this.#trail.here
    const inside = folder.pathOf(bytes).subarray(this.#staging?.folder.pathOf(COPY).length)
    this.at = Buffer.concat([Buffer.from(this.#target), inside])
    return { folder, name: bytes }
  }

  async #begin(isFolder: boolean): Promise<Place> {
    this.#place = await resolvePlace(this.#target)
    await this.#place.folder.check()
    await checkPlace(isFolder, this.#place)
    this.#staging = await Staging.make(this.#place)
    this.#trail = new Trail(this.#staging.folder)
    return { folder: this.#staging.folder, name: COPY }
  }

  async #makeLink(name: unknown, [target]: readonly unknown[]): Promise<void> {
    const bytes = bytesOf(target)
    if (bytes.includes(0)) throw nonsense('a link with a NUL in it')
    const place = await this.#placeOf(name, false)
    await place.folder.makeLink(place.name, bytes)
  }

  async #beginFolder(name: unknown, details: readonly unknown[]): Promise<void> {
    const settings = settingsOf(details)
    const place = await this.#placeOf(name, true)
    const mode = this.#preserve ? OWNER_MAY_ALL : settings.mode | OWNER_MAY_ALL
    await this.#trail?.enter(await place.folder.makeFolder(place.name, mode))
    this.#folders.push(settings)
  }

  async #leave(): Promise<void> {
    const settings = this.#folders.pop()
    if (settings === undefined || this.#file !== undefined) throw nonsense('the end of no folder')
    const folder = await this.#trail?.leave()
    try {
      if (!this.#preserve) return
      await folder?.setMode(settings.mode)
      await folder?.setTimes(settings.modified, settings.modified)
    } finally {
      await folder?.close()
    }
  }

  async #beginFile(name: unknown, details: readonly unknown[]): Promise<void> {
    const settings = settingsOf(details)
    const place = await this.#placeOf(name, false)
    const handle = await place.folder.open(place.name, CREATE, this.#preserve ? 0o600 : settings.mode)
    this.#file = { handle, settings, position: 0, endsInHole: false, written: Promise.resolve() }
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
    file.endsInHole &&= bytes.length === 0
  }

  #leap(size: number): void {
    const file = this.#file
    if (file === undefined || size < 0 || !Number.isSafeInteger(file.position + size))
      throw nonsense(`the length ${size}`)
    file.position += size
    file.endsInHole = true
  }

  async #endFile(): Promise<void> {
    const file = this.#file
    if (file === undefined) throw nonsense('the end of no file')
    try {
      await file.written
      if (file.endsInHole) await file.handle.truncate(file.position) // it is none until now
      if (!this.#preserve) return
      await file.handle.chmod(file.settings.mode)
      await setTimes(file.handle, file.settings.modified, file.settings.modified)
    } finally {
      this.#file = undefined
      await file.handle.close()
    }
  }
}

async function writeAt(handle: FileHandle, position: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, CHUNK_BYTES), position + at)
    at += bytesWritten
  }
}

function settingsOf([mode, modified]: readonly unknown[]): Settings {
  const isTime = typeof modified === 'bigint' || Number.isFinite(modified)
  if (!Number.isInteger(mode) || !isTime)
    throw nonsense(`the settings ${messages.seen(mode)} and ${messages.seen(modified)}`)
  const microseconds = Math.max(-LATEST, Math.min(Number(modified), LATEST))
  return { mode: Number(mode) & MODE_BITS, modified: (microseconds + 0.5) / 1e6 } // half a microsecond: as a float it may be a little less
}

function bytesOf(data: unknown): Buffer {
  if (!(data instanceof Uint8Array)) throw nonsense(messages.seen(data))
  return Buffer.from(data.buffer, data.byteOffset, data.length)
}

/** A worker of ours sends none of this. */
function nonsense(what: string): Error {
  return new Obstacle('EPROTO', `the worker sent ${what}, which cannot be`)
}
