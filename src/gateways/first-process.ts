/** Node as process 1, as in a container without an init: guards belong to it when they have outlived their worker, and it waits for none. */
import type { Origin } from '../transports/origin.js'
import { printLine } from './output.js'

let wasTold = false

/**
 * Says once what becomes of guards, where that is so. For every kind of gateway whose worker may be a process beside this one.
 *
 * @param origin - From where it is started: beside a carrier, it is the carrier's machine that counts.
 */
export function tellOfZombies(origin: Origin): void {
  if (process.pid !== 1 || wasTold || origin.carrier !== undefined) return
  wasTold = true
  const reason = 'this program is process 1, which does not wait for orphans'
  printLine('stderr', `tendril: ${reason}: each gateway leaves a zombie behind. Start the container with --init`)
}

/** As that, where a command may have led anywhere: only for a worker that is a process here. @param pid - What the worker says that it is. */
export function tellOfZombiesIfHere(origin: Origin, pid: number): void {
  if (pid === process.pid) return // process 1 of another container
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return // another user's is here, too
  }
  tellOfZombies(origin)
}
