/** What the last exception on a gateway left behind. Twin: `post_mortem` in inspecting.py. */
import { type BaseGateway, failureOf, messages, RemoteError, type RemoteFrame, type WaitOptions } from '../../core.js'
import { runAside } from './aside.js'
import { collect } from './collect.js'
import type { Performer } from './performer.js'

/** A frame of an exception, with what its variables were when it was asked for. */
export interface PostMortemFrame extends RemoteFrame {
  /** The variables by name, as text of at most 1,000 characters; those of the 100 innermost frames. */
  readonly locals: Readonly<Record<string, string>>
}

/** An exception and where it came from. */
export interface PostMortem {
  /** The name of Python's class, such as `ValueError`. */
  readonly type: string
  readonly message: string
  /** As Python prints it, with its causes. */
  readonly traceback: string
  /** Outermost first. */
  readonly frames: readonly PostMortemFrame[]
  /** What it was raised from, or in the handling of which it was raised. */
  readonly cause: PostMortem | undefined
}

/** Asks for the exception that ended a call or an exec last; undefined when none has. */
export async function postMortemOf(
  gateway: BaseGateway,
  performer: Performer,
  options: WaitOptions,
): Promise<PostMortem | undefined> {
  const [failure] = await collect(runAside(gateway, performer, import.meta.url, ['inspecting', 'post_mortem']), options)
  return failure == null ? undefined : postMortem(new RemoteError(failureOf(failure, gateway.id)), failure)
}

/** @param wire - What the error was made of, in which the locals are. */
function postMortem(error: RemoteError, wire: unknown): PostMortem {
  const { frames: wireFrames, cause: wireCause } = messages.read(messages.postMortem, wire)
  const { type, message, traceback, frames, cause } = error
  return {
    type,
    message,
    traceback,
    frames: frames.map((frame, index) => ({ ...frame, locals: wireFrames[index]?.locals ?? {} })),
    cause: cause instanceof RemoteError ? postMortem(cause, wireCause) : undefined,
  }
}
