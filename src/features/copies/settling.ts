/** How a tree comes to its place (twin: settling.py). */
import type { Stats } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { codeOf, Obstacle } from './fault.js'
import { ALL_BITS, byOwner, type Entry, type Folder, isOwn, MODE_BITS, OWNER_MAY_ALL } from './folder.js'
import type { Place } from './resolving.js'
import { COPY } from './staging.js'
import { Trail } from './trail.js'

const FORBIDDEN = ['EPERM', 'EACCES', 'EROFS']
const TRIES = 100 // others may put things into the same place meanwhile

/** What a copy fills or replaces, if anything is there. */
export async function checkPlace(isFolder: boolean, { folder, name }: Place): Promise<Stats | undefined> {
  const stats = await folder.look(name).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    return undefined
  })
  if (stats === undefined) return undefined
  if (stats.isDirectory() && !isFolder) throw new Obstacle('EISDIR', 'it is a folder', folder.pathOf(name))
  if (isFolder && !stats.isDirectory()) throw new Obstacle('ENOTDIR', 'it is no folder', folder.pathOf(name))
  if (isFolder || stats.isFile() || stats.isSymbolicLink()) return stats
  throw new Obstacle('EEXIST', 'it is neither a file, a folder nor a link', folder.pathOf(name))
}

/** Who copies: `at` is what is being done, `renewed` what has come to its place. */
export interface Settler {
  at: Buffer
  readonly renewed: Buffer[]
}

/** What is staged, and where it goes. */
interface Pair {
  readonly from: Place
  readonly isFolder: boolean
  readonly to: Place
}

/** Two folders that are gone through side by side, how they were before, and what is left to do in them. */
interface Level {
  readonly staged: Stats
  before: Stats
  readonly entries: Entry[]
}

/**
 * Puts the copy that is staged where it belongs. Folders that are there already are filled; with `preserve` they become as what they are
 * filled from. Whatever can be found out is found out before anything is changed.
 */
export async function settle(settler: Settler, staged: Folder, place: Place, preserve: boolean): Promise<void> {
  const isFolder = (await staged.look(COPY)).isDirectory()
  const settling = new Settling(settler, { from: { folder: staged, name: COPY }, isFolder, to: place })
  await settling.goThrough((pair) => settling.mayMove(pair), false)
  await settling.goThrough((pair) => settling.move(pair), preserve)
}

class Settling {
  readonly #settler: Settler
  readonly #root: Pair
  #mounts: ReadonlySet<string> | undefined

  constructor(settler: Settler, root: Pair) {
    this.#settler = settler
    this.#root = root
  }

  /** Looks at what is staged and at what is in its place side by side; `act` says which folders are there already, and it goes on in those. */
  async goThrough(act: (pair: Pair) => Promise<boolean>, preserve: boolean): Promise<void> {
    const [staged, placed] = [new Trail(this.#root.from.folder), new Trail(this.#root.to.folder)]
    const levels: Level[] = []
    const next = async (pair: Pair): Promise<void> => {
      this.#settler.at = pair.to.folder.pathOf(pair.to.name)
      if (!(await letIn(placed, levels, () => act(pair)))) return
      const level = await letIn(placed, levels, () => this.#enter(pair, staged, placed))
      levels.push(level)
      if (level.entries.length > 0) await letIn(placed, levels, () => this.#checkFilling(staged.here, placed.here))
    }
    try {
      await next(this.#root)
      for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
        const entry = level.entries.pop()
        if (entry !== undefined) {
          const { name, isFolder } = entry
          await next({ from: { folder: staged.here, name }, isFolder, to: { folder: placed.here, name } })
          continue
        }
        this.#settler.at = placed.here.path
        levels.pop()
        await leave(staged, placed, level, preserve)
      }
    } catch (error) {
      for (const level of levels.reverse()) await leave(staged, placed, level, false).catch(() => undefined)
      throw error
    } finally {
      await staged.close()
      await placed.close()
    }
  }

  async mayMove({ isFolder, to }: Pair): Promise<boolean> {
    if ((await checkPlace(isFolder, to)) === undefined) return false
    if (isFolder) this.#mounts ??= await mountsIn(to)
    else await this.#checkReplacing(to)
    return isFolder
  }

  /** Returns whether there is a folder already, which is to be filled. */
  async move({ from, isFolder, to }: Pair): Promise<boolean> {
    for (let left = TRIES; left > 0; left--) {
      if (isFolder && (await checkPlace(true, to)) !== undefined) return true
      try {
        await (isFolder ? moveFolder(from, to) : from.folder.move(from.name, to.folder, to.name))
        this.#settler.renewed.push(to.folder.pathOf(to.name))
        return false
      } catch (error) {
        // Or somebody else has put a folder there since.
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error
      }
    }
    throw new Obstacle('EBUSY', 'others keep putting things there', to.folder.pathOf(to.name))
  }

  /** Things can be renamed into a folder, and out of it, only by whom its mode lets in. */
  async #enter({ from, to }: Pair, staged: Trail, placed: Trail): Promise<Level> {
    const [ours, stagedBefore] = await from.folder.enterOwn(from.name)
    await staged.enter(ours)
    try {
      const [theirs, before] = await to.folder.enterOwn(to.name)
      await placed.enter(theirs)
      return { staged: stagedBefore, before, entries: await ours.entries() }
    } catch (error) {
      await shut(await staged.leave(), stagedBefore)
      throw error
    }
  }

  async #checkFilling(ours: Folder, theirs: Folder): Promise<void> {
    const isElsewhere = (await ours.stats()).dev !== (await theirs.stats()).dev
    if (isElsewhere || this.#mounts?.has(theirs.path.toString('latin1')) === true)
      throw new Obstacle('EXDEV', 'it is another file system than the folder around it', theirs.path)
    if (!(await theirs.mayWrite())) throw new Obstacle('EACCES', 'it may not be written to', theirs.path)
  }

  /** Has the system look whether a file could be taken away: as it is no folder, it is not. */
  async #checkReplacing({ folder, name }: Place): Promise<void> {
    const at = folder.pathOf(name)
    if (this.#mounts?.has(at.toString('latin1')) === true)
      throw new Obstacle('EBUSY', 'another file system is mounted there', at)
    await folder.removeFolder(name).catch((error: unknown) => {
      const code = codeOf(error) ?? ''
      if (FORBIDDEN.includes(code)) throw new Obstacle(code, 'it cannot be replaced', at)
    })
  }
}

/** Does something in a folder that may not let us in any more: another copy that was in it, too, has given it its mode back. */
async function letIn<T>(placed: Trail, levels: readonly Level[], work: () => Promise<T>): Promise<T> {
  for (let left = TRIES; left > 0; left--) {
    try {
      return await work()
    } catch (error) {
      const [level, stats] = [levels.at(-1), await placed.here.stats()]
      const isOpen = (stats.mode & OWNER_MAY_ALL) === OWNER_MAY_ALL
      if (codeOf(error) !== 'EACCES' || level === undefined || isOpen || !isOwn(stats.uid)) throw error
      await placed.here.setMode((stats.mode & ALL_BITS) | OWNER_MAY_ALL)
      level.before = stats
    }
  }
  return work()
}

async function leave(staged: Trail, placed: Trail, { staged: like, before }: Level, preserve: boolean): Promise<void> {
  const ours = await staged.leave()
  const theirs = await placed.leave()
  try {
    await ours.restore(like)
    if (!preserve) return await theirs.restore(before)
    await byOwner(theirs.setMode((before.mode & ALL_BITS & ~MODE_BITS) | (like.mode & MODE_BITS)))
    await byOwner(theirs.setTimes(like.atimeMs / 1000, like.mtimeMs / 1000))
  } finally {
    await ours.close()
    await theirs.close()
  }
}

/** A folder that cannot be written to does not change its parent. */
async function moveFolder(from: Place, to: Place): Promise<void> {
  const [folder, before] = await from.folder.enterOwn(from.name)
  try {
    await from.folder.move(from.name, to.folder, to.name)
  } finally {
    await shut(folder, before)
  }
}

/** Leaves it as it was. */
async function shut(folder: Folder, before: Stats): Promise<void> {
  try {
    await folder.restore(before)
  } finally {
    await folder.close()
  }
}

/** Where other file systems, or other parts of this one, are mounted in a folder; nowhere when the system does not tell. */
async function mountsIn({ folder, name }: Place): Promise<ReadonlySet<string>> {
  if (folder.proc === undefined) return new Set()
  const [root, table] = await Promise.all([readlink(folder.proc, 'latin1'), readFile('/proc/self/mountinfo', 'latin1')])
  const inside = `${root === '/' ? '' : root}/${name.toString('latin1')}`
  const points = table.split('\n').map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, unescaped))
  const at = folder.pathOf(name).toString('latin1')
  return new Set(
    points.filter((each) => `${each}/`.startsWith(`${inside}/`)).map((each) => at + each.slice(inside.length)),
  )
}

function unescaped(_: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8))
}
