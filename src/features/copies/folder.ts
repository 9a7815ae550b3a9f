/**
 * Folders that are held open, so that what is done in them by name is done there and nowhere else (twin: folder.py).
 *
 * Whoever may write to a folder on the way of a path can make it lead elsewhere between any two steps of ours. So every name is one
 * name, in a folder that is open, by /proc/self/fd. Where there is none, nobody else may be able to write to it. Names are bytes.
 */
import { constants, type Stats } from 'node:fs'
import {
  access,
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises'
import { sep } from 'node:path'
import { codeOf, Obstacle } from './fault.js'

/** Never setuid, setgid or sticky: whoever owned the file may be somebody else there. */
export const MODE_BITS = 0o777
export const OWNER_MAY_ALL = 0o700
export const ALL_BITS = 0o7777
const OTHERS_MAY_WRITE = 0o022
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0, W_OK, X_OK } = constants
const O_PATH = process.platform === 'linux' ? 0o10000000 : 0 // Node has no name for it
const LIST = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
/** How to enter a folder that one only goes through, readable or not. */
export const PASS: number = LIST | O_PATH
/** As PASS, wherever a link leads. */
export const FOLLOW: number = O_RDONLY | O_DIRECTORY | O_PATH
/** Whether there are owners and modes, and folders can be opened. */
export const isPosix: boolean = process.getuid !== undefined
const separator = Buffer.from(sep)
const above = Buffer.from('..')

/** The path of a name in a folder. */
export function joined(folder: Buffer, name: Uint8Array): Buffer {
  const parts = folder.length === 0 || folder.at(-1) === separator[0] ? [folder, name] : [folder, separator, name]
  return Buffer.concat(parts)
}

export function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino
}

/** Something in a folder. */
export interface Entry {
  readonly name: Buffer
  readonly isFolder: boolean
}

/** A folder that is open. Its path is for texts, and for systems where names cannot be held to an open folder. */
export class Folder {
  path: Buffer
  readonly #isHeld: boolean
  #handle: FileHandle | undefined
  #identity: Stats | undefined

  protected constructor(handle: FileHandle | undefined, path: Buffer, isHeld: boolean) {
    this.#handle = handle
    this.path = path
    this.#isHeld = isHeld
  }

  /** The one that a path leads to, wherever its links lead. */
  static async at(path: string): Promise<Folder> {
    const handle = isPosix ? await open(path, FOLLOW) : undefined
    return new Folder(handle, Buffer.from(path === '.' ? '' : path), handle !== undefined && (await hasProc(handle)))
  }

  get isOpen(): boolean {
    return this.#handle !== undefined
  }

  /** What stands for it, if anything does. */
  get proc(): string | undefined {
    return this.#isHeld && this.#handle !== undefined ? procOf(this.#handle) : undefined
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  /** Closes it, until it is reopened. */
  async setAside(): Promise<void> {
    this.#identity = await this.#handle?.stat()
    await this.close()
  }

  /** Opens it again, from a folder in it that is still open and must not have been moved meanwhile. */
  async reopen(inner: Folder): Promise<void> {
    this.#handle = this.#isHeld ? await inner.open(above, LIST) : await open(this.#here, LIST)
    if (this.#identity === undefined || !isSame(await this.stats(), this.#identity))
      throw new Obstacle('ESTALE', 'what is in it was moved elsewhere meanwhile', this.path)
  }

  /** Complains unless names here are those of the open folder, or only we and root can exchange what they lead to. */
  async check(): Promise<void> {
    if (this.#isHeld || this.#handle === undefined) return
    const { uid, mode } = await this.#handle.stat()
    if ((uid === 0 || isOwn(uid)) && (mode & OTHERS_MAY_WRITE) === 0) return
    throw new Obstacle('EPERM', 'others may write to it, which is only safe where there is a /proc', this.path)
  }

  pathOf(name: Uint8Array): Buffer {
    return joined(this.path, name)
  }

  async stats(): Promise<Stats> {
    return this.#handle === undefined ? lstat(this.#here) : this.#handle.stat()
  }

  async look(name: Uint8Array): Promise<Stats> {
    return lstat(this.#of(name))
  }

  async names(): Promise<Buffer[]> {
    return readdir(this.#here, { encoding: 'buffer' })
  }

  async entries(): Promise<Entry[]> {
    const entries = await readdir(this.#here, { encoding: 'buffer', withFileTypes: true })
    return entries.map((entry) => ({ name: Buffer.from(entry.name), isFolder: entry.isDirectory() }))
  }

  async open(name: Uint8Array, how: number, mode = 0o600): Promise<FileHandle> {
    return open(this.#of(name), how, mode)
  }

  /** The folder of that name, which is no link. */
  async enter(name: Uint8Array, how: number = LIST): Promise<Folder> {
    const path = above.equals(name) ? this.path.subarray(0, Math.max(1, this.path.lastIndexOf('/'))) : this.pathOf(name)
    const folder = new Folder(isPosix ? await this.open(name, how) : undefined, path, this.#isHeld)
    if (how === LIST) await folder.check().catch((error: unknown) => folder.#refuse(error))
    return folder
  }

  /** Enters a folder from which its mode keeps its owner, who is let in; gives how it was before, too. One of somebody else's stays as it is. */
  async enterOwn(name: Uint8Array): Promise<[folder: Folder, before: Stats]> {
    let before: Stats | undefined
    const folder = await this.enter(name).catch(async (error: unknown) => {
      if (codeOf(error) !== 'EACCES') throw error
      before = await this.#openUp(name, error)
      return this.enter(name)
    })
    before ??= await folder.stats()
    if ((before.mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL)
      await byOwner(folder.setMode((before.mode & ALL_BITS) | OWNER_MAY_ALL))
    return [folder, before]
  }

  async makeFolder(name: Uint8Array, mode: number): Promise<Folder> {
    await mkdir(this.#of(name), mode)
    return this.enter(name)
  }

  async makeLink(name: Uint8Array, target: Buffer): Promise<void> {
    await symlink(target, this.#of(name))
  }

  async readLink(name: Uint8Array): Promise<Buffer> {
    return readlink(this.#of(name), { encoding: 'buffer' })
  }

  /** Puts it into another folder, in the place of what has its name there. */
  async move(name: Uint8Array, folder: Folder, itsName: Uint8Array): Promise<void> {
    await rename(this.#of(name), folder.#of(itsName))
  }

  async remove(name: Uint8Array): Promise<void> {
    await unlink(this.#of(name))
  }

  /** Removes an empty folder. */
  async removeFolder(name: Uint8Array): Promise<void> {
    await rmdir(this.#of(name))
  }

  /** Whether things can be moved into it, as far as the system tells. */
  async mayWrite(): Promise<boolean> {
    if (process.getuid?.() !== process.geteuid?.()) return true
    return access(this.#here, W_OK | X_OK).then(
      () => true,
      () => false,
    )
  }

  async setMode(mode: number): Promise<void> {
    await (this.#handle === undefined ? chmod(this.#here, mode) : this.#handle.chmod(mode))
  }

  /** When it was accessed, and modified, in seconds. */
  async setTimes(accessed: number, modified: number): Promise<void> {
    if (this.#handle !== undefined) await setTimes(this.#handle, accessed, modified)
  }

  /** Gives it back as it was before it was entered. */
  async restore(before: Stats): Promise<void> {
    if ((before.mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL) await byOwner(this.setMode(before.mode & ALL_BITS))
  }

  get #here(): Buffer {
    if (this.#isHeld && this.#handle !== undefined) return Buffer.from(procOf(this.#handle))
    return this.path.length === 0 ? Buffer.from('.') : this.path
  }

  #of(name: Uint8Array): Buffer {
    return joined(this.#here, name)
  }

  async #refuse(error: unknown): Promise<never> {
    await this.close()
    throw error
  }

  /** As nobody may open it, its mode is set by what stands for it; where nothing does, that is refused. */
  async #openUp(name: Uint8Array, refusal: unknown): Promise<Stats> {
    const handle = await this.open(name, PASS)
    try {
      const stats = await handle.stat()
      if (!this.#isHeld) throw refusal
      await chmod(procOf(handle), (stats.mode & ALL_BITS) | OWNER_MAY_ALL)
      return stats
    } finally {
      await handle.close()
    }
  }
}

/** One that vanished before it could be entered: nothing is in it. */
export class Gone extends Folder {
  constructor(path: Buffer) {
    super(undefined, path, false)
  }

  override async look(): Promise<never> {
    throw new Obstacle('ENOENT', 'it vanished', this.path)
  }

  override open: () => Promise<never> = this.look
  override enter: () => Promise<never> = this.look
  override readLink: () => Promise<never> = this.look
}

/** Of what is open: when it was accessed, and modified, in seconds. */
export async function setTimes(handle: FileHandle, accessed: number, modified: number): Promise<void> {
  await handle.utimes(timeOf(accessed), timeOf(modified))
}

/** Node takes numbers below 0 for now, dates for what they are, and gets parts of seconds wrong in those. */
function timeOf(seconds: number): number | Date {
  return seconds < 0 ? new Date(Math.floor(seconds) * 1000) : seconds
}

function procOf(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`
}

let isProcThere = false

/** Once it is there it stays: without it what goes by it fails. */
async function hasProc(handle: FileHandle): Promise<boolean> {
  isProcThere ||= await stat(procOf(handle)).then(
    async (stats) => isSame(stats, await handle.stat()),
    () => false,
  )
  return isProcThere
}

/** Whether that is who runs this program. */
export function isOwn(uid: number): boolean {
  return uid === process.geteuid?.()
}

/** A folder that is somebody else's (/tmp) stays as it is: nobody but its owner may change it. */
export async function byOwner(change: Promise<void>): Promise<void> {
  await change.catch((error: unknown) => {
    if (codeOf(error) !== 'EPERM') throw error
  })
}
