/** What a command prints is for somebody: when nobody reads it any more (`| head`), the command is over. */
import { spawn } from 'node:child_process'
import { fstatSync, writeSync } from 'node:fs'
import { PYTHONS } from './pythons.js'

// Most commands are done by then.
const FIRST_LOOK_MS = 300

/** Ends this process at once, and quietly, when the reader of its stdout has gone; with a line when it cannot be written for another reason, such as a full disk. */
export function endWithReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      try {
        writeSync(2, `tendril: cannot write: ${error.message}\n`)
      } catch {
        // there is nobody to tell
      }
      process.exit(1)
    })
  if (process.platform !== 'win32' && mayLoseReader(1)) setTimeout(() => watch(PYTHONS), FIRST_LOOK_MS).unref()
}

/** A terminal tells its own end, and a file has none. */
function mayLoseReader(fd: number): boolean {
  try {
    const stats = fstatSync(fd)
    return stats.isFIFO() || stats.isSocket()
  } catch {
    return false // it is closed, or this program may not ask
  }
}

/** Ends with 0 when nobody reads its stdout any more; with 1 when who started it has gone. Modules of the working directory are not what it imports. */
const WATCHER = `import sys
sys.path[:1] = []
import select
poller = select.poll()
poller.register(0, select.POLLIN)
poller.register(1, 0)
sys.exit(0 in dict(poller.poll()))`

/** Node sees that a pipe has no reader only when it writes to it: what waits, such as a server, would go on for ever. Without a Python here, it does. */
function watch([python, ...others]: readonly string[]): void {
  if (python === undefined) return
  try {
    // In a group of its own, as a Ctrl-C is not for it.
    const watcher = spawn(python, ['-ESc', WATCHER], { stdio: ['pipe', 'inherit', 'ignore'], detached: true })
    watcher.unref()
    watcher.once('error', () => watch(others)).once('exit', (code) => code === 0 && process.exit(0))
    process.once('exit', () => watcher.kill())
  } catch {
    // this program may start none, see --permission of Node
  }
}
