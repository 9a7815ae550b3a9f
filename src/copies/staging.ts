/** Trees that nobody sees before they are complete, and how they come to their place (twin: staging.py). */
import { createHash, randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { chmod, lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname } from 'node:path'
import { Obstacle } from './fault.js'
import { MODE_BITS } from './tree-reader.js'
import { type Found, joined, walk } from './tree-walk.js'

const OWNER_MAY_WRITE = 0o200

/** A name beside the target that is free. What a process that was killed has left there of a copy to it is removed. */
export async function makeStaging(target: string): Promise<Buffer> {
  const folder = Buffer.from(dirname(target))
  const key = createHash('sha256')
    .update(`${basename(target)}\0${hostname()}`)
    .digest('hex')
    .slice(0, 8)
  const prefix = `.tendril-${key}-`
  for (const name of await readdir(folder)) {
    const isOurs = name.startsWith(prefix) && !isAlive(Number(name.split('-')[2]))
    if (isOurs) await remove(joined(folder, Buffer.from(name)))
  }
  return joined(folder, Buffer.from(`${prefix}${process.pid}-${randomBytes(4).toString('hex')}`))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** Puts a tree where it belongs; folders that are there already are filled. Complains before anything is done. */
export async function settle(staging: Buffer, target: Buffer): Promise<void> {
  const moves: [staged: Buffer, target: Buffer][] = []
  const left: [staged: Buffer, target: Buffer][] = [[staging, target]]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [staged, place] = next
    const isFolder = (await lstat(staged)).isDirectory()
    if ((await checkPlace(isFolder, place)) && isFolder) {
      for (const name of await readdir(staged, { encoding: 'buffer' }))
        left.push([joined(staged, name), joined(place, name)])
    } else {
      moves.push(next)
    }
  }
  for (const [staged, place] of moves) await move(staged, place)
}

/** Whether there is something that a copy fills or replaces. */
export async function checkPlace(isFolder: boolean, place: Buffer): Promise<boolean> {
  const stats = await statsOf(place)
  if (stats === undefined) return false
  if (stats.isDirectory() && !isFolder) throw new Obstacle('EISDIR', 'it is a folder', place)
  if (isFolder && !stats.isDirectory()) throw new Obstacle('ENOTDIR', 'it is no folder', place)
  if (isFolder || stats.isFile() || stats.isSymbolicLink()) return true
  throw new Obstacle('EEXIST', 'it is neither a file, a folder nor a link', place)
}

async function move(staged: Buffer, place: Buffer): Promise<void> {
  const stats = await lstat(staged)
  // A folder that cannot be written to does not change its parent.
  const isLocked = stats.isDirectory() && (stats.mode & OWNER_MAY_WRITE) === 0
  if (isLocked) await chmod(staged, (stats.mode & MODE_BITS) | OWNER_MAY_WRITE)
  await rename(staged, place)
  if (isLocked) await chmod(place, stats.mode & MODE_BITS)
}

/** Removes a tree of ours, whatever its modes; there need not be one. */
export async function remove(path: Buffer): Promise<void> {
  const stats = await statsOf(path)
  if (stats === undefined) return
  const folders: Buffer[] = []
  async function* entriesOf(folder: Buffer): AsyncGenerator<Found> {
    await chmod(folder, 0o700)
    folders.push(folder)
    for (const name of await readdir(folder, { encoding: 'buffer' })) {
      const inner = joined(folder, name)
      yield { path: inner, name, stats: await lstat(inner) }
    }
  }
  for await (const found of walk({ path, name: Buffer.alloc(0), stats }, entriesOf)) {
    if (found !== undefined && !found.stats.isDirectory()) await unlink(found.path)
  }
  for (const folder of folders.reverse()) await rmdir(folder)
}

async function statsOf(path: Buffer): Promise<Stats | undefined> {
  return lstat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
}
