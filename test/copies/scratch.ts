/** Folders for copies: one that goes away, and what is in a tree, for comparison. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that is removed with all that is in it. */
export class Scratch implements Disposable {
  readonly path: string

  constructor(inside: string = tmpdir()) {
    this.path = mkdtempSync(join(inside, 'tendril-copies-'))
  }

  at(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  /** What is in it, hidden or not. */
  get names(): string[] {
    return readdirSync(this.path).sort()
  }

  [Symbol.dispose](): void {
    removeTree(this.path)
  }
}

/** Removes a folder whatever modes its folders have: those that its owner may not write to keep all but root from it. */
export function removeTree(root: string): void {
  spawnSync('chmod', ['-R', 'u+rwX', root])
  rmSync(root, { recursive: true, force: true })
}

/** What a tree comes to: a line for each thing in it, with its name byte for byte. Empty for what is not there. */
export function described(root: string): string[] {
  return describe(Buffer.from(root), '')
}

function describe(path: Buffer, name: string): string[] {
  const stats = lstatSync(path)
  const about = stats.isSymbolicLink()
    ? `-> ${readlinkSync(path)}`
    : `${(stats.mode & 0o7777).toString(8)} ${Math.floor(stats.mtimeMs * 1000 + 0.2)}`
  const content = stats.isFile() ? `${stats.size} ${createHash('md5').update(readFileSync(path)).digest('hex')}` : ''
  const inner = stats.isDirectory() ? readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare) : []
  return [
    `${name} ${about} ${content}`,
    ...inner.flatMap((each) =>
      describe(Buffer.concat([path, Buffer.from('/'), each]), `${name}/${each.toString('latin1')}`),
    ),
  ]
}
