/** A tree of this machine, one thing after the other (twin: walk in staging.py). Paths are bytes, which every name has. */
import type { Stats } from 'node:fs'
import { sep } from 'node:path'

/** Something in a tree; its name is empty for the root. */
export interface Found {
  readonly path: Buffer
  readonly name: Buffer
  readonly stats: Stats
}

const separator = Buffer.from(sep)

/** The path of a name in a folder. */
export function joined(folder: Buffer, name: Uint8Array): Buffer {
  const parts = folder.length === 0 || folder.at(-1) === separator[0] ? [folder, name] : [folder, separator, name]
  return Buffer.concat(parts)
}

/** Gives all that is at `root`, a folder before what is in it, and `undefined` behind that. */
export async function* walk(
  root: Found,
  entriesOf: (folder: Buffer) => AsyncIterable<Found>,
): AsyncGenerator<Found | undefined> {
  yield root
  if (!root.stats.isDirectory()) return
  const open = [entriesOf(root.path)[Symbol.asyncIterator]()]
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = await top.next()
    if (next.done === true) {
      open.pop()
      yield undefined
      continue
    }
    yield next.value
    if (next.value.stats.isDirectory()) open.push(entriesOf(next.value.path)[Symbol.asyncIterator]())
  }
}
