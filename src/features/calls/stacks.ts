/** What the threads of a worker do now. Twin: `stacks` in inspecting.py. */
import { type BaseGateway, messages, type RemoteFrame, type WaitOptions } from '../../core.js'
import { runAside } from './aside.js'
import { collect } from './collect.js'
import type { Performer } from './performer.js'

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
export async function stacksOf(
  gateway: BaseGateway,
  performer: Performer,
  options: WaitOptions,
): Promise<RemoteThread[]> {
  const threads = await collect(runAside(gateway, performer, import.meta.url, ['inspecting', 'stacks']), options)
  return threads.map((sent) => {
    const { is_main: isMain, performing, frames, ...thread } = messages.read(messages.stack, sent)
    return { ...thread, isMain, performing: performing ?? undefined, frames: frames.map(frameOf) }
  })
}

function frameOf({ file, line, name, text }: messages.Of<typeof messages.stack>['frames'][number]): RemoteFrame {
  return { file, line: line ?? 0, name, text }
}
