/** From a path to the folder that holds what it names, and its name there (twin: resolving.py). */
import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { codeOf, Obstacle } from './fault.js'
import { FOLLOW, Folder, isOwn, isPosix, isSame, PASS } from './folder.js'

const MOST_LINKS = 40 // as Linux has it
const QUESTIONS = 32 // about one and the same link
const S_ISVTX = 0o1000
const NO_FOLDER = ['ENOTDIR', 'ELOOP'] // what systems say of a link that is not to be followed
const above = Buffer.from('..')

/** Something by its name, in a folder that is open. */
export interface Place {
  readonly folder: Folder
  readonly name: Buffer
}

/** Follows the links on a path one by one. The name is that of no link, unless of one that leads nowhere. What `isRead` may be called '.', too. The folder is to be closed. */
export async function resolvePlace(path: string, isRead = false): Promise<Place> {
  const resolving = new Resolving(isRead)
  let place: Place | undefined
  try {
    place = await resolving.run(path)
    return place
  } finally {
    await resolving.close(place)
  }
}

class Resolving {
  #here: Folder | undefined
  /** The first link that the path ends in. */
  #last: Place | undefined
  #names: Buffer[] = []
  #links = 0
  readonly #isRead: boolean

  constructor(isRead: boolean) {
    this.#isRead = isRead
  }

  async run(path: string): Promise<Place> {
    const start = await this.#goOn(Buffer.from(path), [])
    try {
      return await this.#walk(start)
    } catch (error) {
      if (this.#last === undefined || codeOf(error) === undefined || error instanceof Obstacle) throw error
      return this.#last
    }
  }

  async close(place: Place | undefined): Promise<void> {
    for (const folder of [this.#here, this.#last?.folder]) {
      if (folder !== place?.folder) await folder?.close()
    }
  }

  /** What is left of the way: `path`, then these names. */
  async #goOn(path: Buffer, names: readonly Buffer[]): Promise<Folder> {
    const text = path.toString('latin1')
    if (!isPosix) {
      this.#names = [Buffer.from(basename(String(path))), ...names]
      return this.#comeTo(await Folder.at(dirname(String(path))))
    }
    const parts = text.split('/').filter((name) => name !== '' && name !== '.')
    this.#names = [...parts.map((name) => Buffer.from(name, 'latin1')), ...names]
    if (this.#here !== undefined && !text.startsWith('/')) return this.#here
    return this.#comeTo(await Folder.at(text.startsWith('/') ? '/' : '.'))
  }

  async #comeTo(folder: Folder): Promise<Folder> {
    if (this.#here !== this.#last?.folder) await this.#here?.close()
    this.#here = folder
    return folder
  }

  async #walk(start: Folder): Promise<Place> {
    let here = start
    for (let name = this.#names[0]; name !== undefined; name = this.#names[0]) {
      if (this.#names.length > 1 || above.equals(name)) {
        here = await this.#pass(here, name)
        continue
      }
      const stats = await this.#look(here, name)
      if (stats?.isSymbolicLink() !== true)
        return stats === undefined ? (this.#last ?? { folder: here, name }) : { folder: here, name }
      this.#last ??= { folder: here, name }
      here = await this.#follow(here, name, stats)
    }
    return this.#findName(here)
  }

  /** Into a folder on the way, or past a link. Mostly it is the former: to look first would cost as much again. */
  async #pass(here: Folder, name: Buffer): Promise<Folder> {
    const inner = await here.enter(name, PASS).catch(async (error: unknown) => {
      if (!NO_FOLDER.includes(codeOf(error) ?? '')) throw error
      const stats = await here.look(name)
      if (stats.isSymbolicLink()) return stats
      throw error
    })
    if (!(inner instanceof Folder)) return this.#follow(here, name, inner)
    this.#names.shift()
    return this.#comeTo(inner)
  }

  async #look(here: Folder, name: Buffer): Promise<Stats | undefined> {
    return here.look(name).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
      return undefined
    })
  }

  /** Past a link. Where anybody may put one, it must be ours or root's: they lead where their owners want us to write. */
  async #follow(here: Folder, name: Buffer, stats: Stats): Promise<Folder> {
    const { mode, dev } = await here.stats()
    const isOpenToAll = isPosix && (mode & (S_ISVTX | constants.S_IWOTH)) !== 0
    if (isOpenToAll && stats.uid !== 0 && !isOwn(stats.uid)) throw refusal(here, name)
    this.#links++
    if (this.#links > MOST_LINKS) throw new Obstacle('ELOOP', 'too many links', here.pathOf(name))
    const left = this.#names.slice(1)
    if (left.length === 0 || dev !== (await deviceOfProcesses())) {
      return this.#goOn(await (isOpenToAll ? readVery(here, name, stats) : here.readLink(name)), left)
    }
    this.#names = left // /proc/1/root says '/', and leads elsewhere
    return this.#comeTo(await here.enter(name, FOLLOW))
  }

  /** The path is that of a folder in itself, such as '..': its name is looked for. */
  async #findName(here: Folder): Promise<Place> {
    if (this.#isRead) return { folder: here, name: Buffer.from('.') }
    const stats = await here.stats()
    const folder = await this.#comeTo(await here.enter(above, PASS))
    if (isSame(stats, await folder.stats())) return { folder, name: Buffer.from('.') }
    for (const name of await folder.names()) {
      if (isSame(stats, await folder.look(name))) return { folder, name }
    }
    throw new Obstacle('ENOENT', 'it is in no folder', here.path)
  }
}

/**
 * Where that very link leads. No system tells whose a link is and where it leads at once: whoever exchanges two of them meanwhile would
 * have to guess each time what is asked next.
 */
async function readVery(here: Folder, name: Buffer, { dev, ino, uid }: Stats): Promise<Buffer> {
  const target = await here.readLink(name)
  for (const chance of randomBytes(QUESTIONS)) {
    if ((chance & 1) === 0) {
      const found = await here.look(name)
      if (found.dev !== dev || found.ino !== ino || found.uid !== uid) throw refusal(here, name)
    } else if (!target.equals(await here.readLink(name))) throw refusal(here, name)
  }
  return target
}

function refusal(here: Folder, name: Buffer): Obstacle {
  const text = "it is a link of another user's, in a folder where anybody may put one"
  return new Obstacle('EACCES', text, here.pathOf(name))
}

/** What all in /proc is on. */
async function deviceOfProcesses(): Promise<number | undefined> {
  const { dev } = await lstat('/')
  return lstat('/proc').then(
    (stats) => (stats.dev === dev ? undefined : stats.dev),
    () => undefined,
  )
}
