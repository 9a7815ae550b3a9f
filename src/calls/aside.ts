/** What a worker does beside all that it is busy with: functions of our own modules, each in a thread of its own. */
import { type ChannelOf, equip, type Gateway } from '../core.js'
import type { Performer } from './aborting.js'

/**
 * Has a function of a module that lies beside this file called on the worker.
 *
 * @returns The channel that the function speaks on; it ends with the function.
 */
export function runAside<R>(
  gateway: Gateway,
  performer: Performer,
  [module, name]: readonly [module: string, name: string],
  ...args: readonly unknown[]
): ChannelOf<R, unknown, Gateway> {
  const channel = gateway.newChannel<R>()
  equip(gateway, import.meta.url, [module])
  performer.command('aside', channel, module, name, ...args)
  return channel
}
