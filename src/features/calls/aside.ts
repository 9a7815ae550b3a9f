/** What a worker does beside all that it is busy with: functions of our own modules, each in a thread of its own. */
import { type BaseGateway, type Channel, equip } from '../../core.js'
import type { Performer } from './performer.js'

/**
 * Has a function of a Python file of ours called on the worker.
 *
 * @param beside - The `import.meta.url` of whoever asks: the file lies in its folder.
 * @param function - Its module and name; with what an item of it may have, where nobody asks for those.
 * @returns The channel that the function speaks on; it ends with the function.
 */
export function runAside<R>(
  gateway: BaseGateway,
  performer: Performer,
  beside: string,
  [module, name, mostBytes]: readonly [module: string, name: string, mostBytes?: () => number],
  ...args: readonly unknown[]
): Channel<R, unknown, BaseGateway> {
  const channel = gateway.ownChannel<R>(mostBytes)
  equip(gateway, beside, [module])
  performer.command('aside', channel, module, name, ...args)
  performer.carry(channel)
  return channel
}
