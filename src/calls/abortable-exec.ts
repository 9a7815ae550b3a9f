/** `remoteExec` that can be aborted: a request with a channel of its own, which the worker closes when the code has ended. */
import { type ChannelOf, type Gateway, readSource, type Source } from '../core.js'
import { type CallOptions, type Performer, sendAbortable } from './aborting.js'

/**
 * Runs Python source as `gateway.remoteExec` does. Aborted, its channel ends with the reason, once the code has ended.
 *
 * @throws As `remoteExec` does, and the reason of a signal that has been aborted: nothing is sent, then.
 */
export function execAbortably<R, S, G extends Gateway>(
  gateway: G,
  performer: Performer,
  source: Source,
  kwargs: Readonly<Record<string, unknown>>,
  options: CallOptions,
): ChannelOf<R, S, G> {
  options.signal?.throwIfAborted()
  const task = { ...readSource(source), kwargs }
  const channel: ChannelOf<R, S, G> = gateway.newChannel<R, S>()
  const parts = { gateway, performer, title: `the exec of ${task.file}`, isQuiet: true }
  try {
    sendAbortable(parts, options, ['exec', channel, task], ({ reply, why }) => {
      if (why === undefined) return
      channel.endItems(why)
      if (reply === undefined) void channel.close()
      else channel.endSending() // the worker closes it: what has arrived stays
    })
  } catch (error) {
    void channel.close()
    throw error
  }
  return channel
}
