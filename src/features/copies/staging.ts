/**
 * Where a copy is made, before it goes to its place (twin: staging.py).
 *
 * That is a folder beside the place, `.tendril-KEY-RANDOM`, which only its owner may enter; KEY is of the name that the copy will have. In it
 * are the `copy`, and an empty file that says whose it is, `owner-MACHINE-PID`: without one, a folder is none of ours, whatever it is called.
 */
import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { codeOf, Obstacle } from './fault.js'
import { type Folder, isSame } from './folder.js'
import type { Place } from './resolving.js'
import { Trail } from './trail.js'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants
/** How to make a file. */
export const CREATE: number = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
/** The name of what is being made. */
export const COPY: Buffer = Buffer.from('copy')
const OTHERS_TOO = 0o077
const HOUR_MS = 3_600_000
const WEEK_MS = 7 * 24 * HOUR_MS // without a sign of life for as long, whoever cannot be asked is taken for dead

interface Made {
  readonly folder: Folder
  readonly owner: Buffer
  readonly stats: Stats
  readonly privacy: number
}

/** A folder for one copy that is to come to a place. */
export class Staging {
  readonly folder: Folder
  readonly #place: Folder
  readonly #name: Buffer
  readonly #owner: Buffer
  readonly #stats: Stats
  readonly #privacy: number
  #touchedMs = performance.now()

  private constructor(place: Folder, name: Buffer, made: Made) {
    this.#place = place
    this.#name = name
    this.folder = made.folder
    this.#owner = made.owner
    this.#stats = made.stats
    this.#privacy = made.privacy
  }

  /** Makes one. What was left there of others is removed. */
  static async make({ folder: place, name: itsName }: Place): Promise<Staging> {
    const prefix = `.tendril-${keyOf(itsName)}-`
    const name = Buffer.from(prefix + randomBytes(12).toString('hex'))
    const folder = await place.makeFolder(name, 0o700).catch((error: unknown) => {
      if (codeOf(error) !== 'EPERM' || error instanceof Obstacle) throw error
      throw new Obstacle('EACCES', 'no folder can be made beside it') // so some systems say that there are no new ones here
    })
    const owner = Buffer.from(`owner-${await machine()}-${process.pid}`)
    try {
      const staging = new Staging(place, name, { folder, owner, ...(await sign(folder, owner)) })
      await staging.#clear(prefix)
      return staging
    } catch (error) {
      await folder.remove(owner).catch(() => undefined)
      await place.removeFolder(name).catch(() => undefined)
      await folder.close()
      throw error
    }
  }

  /** A sign of life, for those who cannot ask. */
  async touch(): Promise<void> {
    if (performance.now() - this.#touchedMs < HOUR_MS) return
    this.#touchedMs = performance.now()
    await this.folder.setTimes(Date.now() / 1000, Date.now() / 1000)
  }

  /** Removes it, with all that has not been put into its place. What cannot be removed now is left for the next copy. */
  async discard(): Promise<void> {
    try {
      await empty(this.folder, this.#owner)
      if (isSame(this.#stats, await this.#place.look(this.#name))) await this.#place.removeFolder(this.#name)
    } catch (error) {
      if (codeOf(error) === undefined) throw error
    } finally {
      await this.folder.close()
    }
  }

  async #clear(prefix: string): Promise<void> {
    for (const name of await this.#place.names().catch(() => [])) {
      const isOther = name.toString('latin1').startsWith(prefix) && !name.equals(this.#name)
      if (isOther) await this.#clearOne(name).catch(() => undefined) // not ours, or somebody else clears it
    }
  }

  async #clearOne(name: Buffer): Promise<void> {
    const folder = await this.#place.enter(name)
    try {
      const stats = await folder.stats()
      const isOurs = stats.uid === this.#stats.uid && (stats.mode & OTHERS_TOO) === this.#privacy
      const owner = isOurs ? await this.#leftBy(folder, stats) : undefined
      if (owner === undefined) return
      await empty(folder, owner)
      await this.#place.removeFolder(name)
    } finally {
      await folder.close()
    }
  }

  /** Says who made it, when that one is dead: on this machine, and among the processes that can be seen from here, that can be told. */
  async #leftBy(folder: Folder, stats: Stats): Promise<Buffer | undefined> {
    const owners = (await folder.names()).filter((name) => String(name).startsWith('owner-'))
    const here = await machine()
    for (const owner of owners) {
      const [, where, pid = ''] = String(owner).split('-')
      if (here !== '' && where === here && /^\d+$/.test(pid)) return isAlive(Number(pid)) ? undefined : owner
    }
    const isOld = this.#stats.mtimeMs - stats.mtimeMs > WEEK_MS // both by the clock of whoever has the disk
    return isOld ? owners[0] : undefined
  }
}

/** Says whose it is; what is in the folder's place by now may be somebody else's. */
async function sign(folder: Folder, owner: Buffer): Promise<{ stats: Stats; privacy: number }> {
  const file = await folder.open(owner, CREATE)
  const made = await file.stat()
  await file.close()
  const stats = await folder.stats()
  // A disk that keeps no modes, or knows other owners, does so for both.
  const privacy = (made.mode & OTHERS_TOO) === 0 ? 0 : stats.mode & OTHERS_TOO
  const isOurs = stats.uid === made.uid && (stats.mode & OTHERS_TOO) === privacy
  if (isOurs && (await folder.names()).length === 1) return { stats, privacy }
  throw new Obstacle('EPERM', 'somebody has put another folder into its place', folder.path)
}

/** Whether something is called as such a folder is: what is in it is no part of any tree. */
export function isStaging(name: Buffer): boolean {
  return /^\.tendril-[0-9a-f]{8}-[0-9a-f]{24}$/.test(name.toString('latin1'))
}

function keyOf(name: Buffer): string {
  const key = name.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 0)
  return key.toString(16).padStart(8, '0')
}

let found: Promise<string> | undefined

/** Where a process can be asked for by its id: this system, since its start, and this namespace of processes. Empty when that cannot be told. */
function machine(): Promise<string> {
  found ??= findMachine()
  return found
}

async function findMachine(): Promise<string> {
  if (process.platform === 'win32') return ''
  if (process.platform !== 'linux') return Buffer.from(hostname()).toString('hex')
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1')
    const namespace = await readlink('/proc/self/ns/pid')
    return `${boot.trim().replaceAll('-', '')}.${namespace.replace(/\D/g, '')}`
  } catch {
    return ''
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

/** Removes all that is in a folder of ours, whatever modes there are; what says whose it is last. */
async function empty(folder: Folder, owner: Buffer): Promise<void> {
  const trail = new Trail(folder)
  const left = [(await folder.entries()).filter(({ name }) => !owner.equals(name))]
  const inside: Buffer[] = []
  try {
    for (let entries = left.at(-1); entries !== undefined; entries = left.at(-1)) {
      const entry = entries.pop()
      if (entry === undefined) {
        left.pop()
        const done = inside.pop()
        if (done === undefined) continue
        await (await trail.leave()).close()
        await trail.here.removeFolder(done)
      } else if (entry.isFolder) {
        const [inner] = await trail.here.enterOwn(entry.name)
        await trail.enter(inner)
        left.push(await inner.entries())
        inside.push(entry.name)
      } else {
        await trail.here.remove(entry.name)
      }
    }
    await folder.remove(owner)
  } finally {
    await trail.close()
  }
}
