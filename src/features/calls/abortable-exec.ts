/** `remoteExec` that can be aborted: a request with a channel of its own, which the worker closes when the code has ended. */
import { type BaseGateway, type Channel, readTask, type Source } from '../../core.js'
import { sendAbortable } from './aborting.js'
import type { CallOptions } from './call-options.js'
import { asTask } from './link.js'
import type { Performer } from './performer.js'

/**
 * Runs Python source as `gateway.remoteExec` does. Aborted, its channel ends with the reason, once the code has ended.
 *
 * @throws As `remoteExec` does, and the reason of a signal that has been aborted: nothing is sent, then.
 */
export function execAbortably<R, S, G extends BaseGateway>(
  gateway: G,
  performer: Performer,
  source: Source,
  kwargs: Readonly<Record<string, unknown>>,
  options: CallOptions,
): Channel<R, S, G> {
  options.signal?.throwIfAborted()
  const task = readTask(source, kwargs)
  const channel: Channel<R, S, G> = gateway.newChannel<R, S>()
  const parts = { gateway, performer, title: `the exec of ${task.file}`, isQuiet: true, where: asTask }
  try {
    sendAbortable(parts, options, ['exec', channel, task], ({ reply, why, isGivenUp = false }) => {
      if (why === undefined) return
      channel.onEnd(why)
      if (reply === undefined && !isGivenUp) void channel.close()
      else channel.refuseItems() // the worker closes it: what has arrived stays
    })
    performer.carry(channel)
  } catch (error) {
    void channel.close()
    throw error
  }
  return channel
}
