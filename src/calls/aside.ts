/** What a worker does beside all that it is busy with: functions of our own modules, each in a thread of its own. */
import { readFileSync } from 'node:fs'
import type { ChannelOf, Gateway } from '../core.js'
import type { Performer } from './aborting.js'

const pushed = new WeakMap<Gateway, Set<string>>()

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
  push(gateway, module)
  performer.command('aside', channel, module, name, ...args)
  return channel
}

function push(gateway: Gateway, module: string): void {
  const known = pushed.get(gateway) ?? new Set()
  pushed.set(gateway, known)
  if (known.has(module)) return
  known.add(module)
  const source = readFileSync(new URL(`./${module}.py`, import.meta.url), 'utf8')
  gateway.push({ [`_tendril.${module}`]: { file: `<tendril>/${module}.py`, source, package: false } })
}
