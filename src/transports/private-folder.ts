/** Where this process puts sockets that only its own user may reach. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

// The path of a socket has 104 bytes on some systems; what is put here adds up to 45.
const MAX_PATH_BYTES = 58

let folder: string | undefined
let count = 0

/**
 * A path in a folder of this user's own, for a socket. What a process that is gone left there is removed.
 *
 * @param kind - What it is for, in lower-case letters.
 * @throws When no folder can be made.
 */
export function privatePath(kind: string): string {
  folder ??= openFolder()
  return join(folder, `${kind}-${process.pid}-${count++}`)
}

function openFolder(): string {
  const { uid } = userInfo()
  for (const base of [process.env['XDG_RUNTIME_DIR'], tmpdir(), '/tmp']) {
    if (!base) continue
    const path = join(base, `tendril-${uid}`)
    if (Buffer.byteLength(path) <= MAX_PATH_BYTES && isOurs(path, uid)) {
      sweep(path)
      return path
    }
  }
  return mkdtempSync('/tmp/tendril-')
}

/** A folder that somebody else has put there is not used: they could read and replace what is in it. */
function isOurs(path: string, uid: number): boolean {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const found = lstatSync(path)
    return found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0
  } catch {
    return false
  }
}

function sweep(path: string): void {
  for (const name of readdirSync(path)) {
    const pid = Number(/^[a-z]+-(\d+)-\d+/.exec(name)?.[1])
    if (pid > 0 && isGone(pid)) rmSync(join(path, name), { force: true, recursive: true })
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}
