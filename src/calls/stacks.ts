/** What the threads of a worker do now. Twin: `stacks` in inspecting.py. */
import type { Gateway, RemoteFrame, WaitOptions } from '../core.js'
import type { Performer } from './aborting.js'
import { runAside } from './aside.js'
import { collect } from './collect.js'

/** A thread of a worker, as it was found. */
export interface RemoteThread {
  /** What Python calls it: `threading.get_ident()`. */
  readonly ident: number
  /** Its name in `threading`; what it does, when it is one of ours. */
  readonly name: string
  readonly isMain: boolean
  /** What it performs, such as `call time.sleep` or `exec of job.py`; undefined when it performs nothing. */
  readonly performing: string | undefined
  /** Where it is, outermost first; without how it came to what it performs. */
  readonly frames: readonly RemoteFrame[]
  /** How many outer frames were left out: a stack is told as far as its 500 innermost. */
  readonly omitted: number
}

/** Asks for the stacks of all threads; the main one comes first. */
export async function stacksOf(gateway: Gateway, performer: Performer, options: WaitOptions): Promise<RemoteThread[]> {
  const threads = await collect(runAside<WireThread>(gateway, performer, ['inspecting', 'stacks']), options)
  return threads.map(({ is_main, performing, ...thread }) => ({
    ...thread,
    isMain: is_main,
    performing: performing ?? undefined,
  }))
}

interface WireThread {
  readonly ident: number
  readonly name: string
  readonly is_main: boolean
  readonly performing: string | null
  readonly frames: readonly RemoteFrame[]
  readonly omitted: number
}
