/** The worker's half: Python that is pushed to a gateway ahead of its first copy, and run for each. */
import { type BaseGateway, equip } from '../../core.js'

/** Has the worker send or receive a tree; the channel carries its items. */
export function startRemote(
  gateway: BaseGateway,
  half: 'tree_reader.send' | 'tree_writer.receive',
  kwargs: Readonly<Record<string, unknown>>,
): ReturnType<BaseGateway['remoteExec']> {
  equip(gateway, import.meta.url, [
    'fault',
    'folder',
    'trail',
    'resolving',
    'staging',
    'settling',
    'tree_reader',
    'tree_writer',
  ])
  const [module, name] = half.split('.')
  const text = `from _tendril.${module} import ${name}\n${name}(channel, ${Object.keys(kwargs).join(', ')})`
  return gateway.execAside({ text, name: `<tendril>/${module}` }, kwargs)
}
