/** The worker's half: Python that is pushed to a gateway ahead of its first copy, and run for each. */
import { readFileSync } from 'node:fs'
import type { Gateway } from '../core.js'

const names = ['staging', 'tree_reader', 'tree_writer']
const equipped = new WeakSet<Gateway>()

/** Has the worker send or receive a tree; the channel carries its items. */
export function startRemote(
  gateway: Gateway,
  half: 'tree_reader.send' | 'tree_writer.receive',
  kwargs: Readonly<Record<string, unknown>>,
): ReturnType<Gateway['remoteExec']> {
  if (!equipped.has(gateway)) {
    gateway.push(Object.fromEntries(names.map((name) => [`_tendril.${name}`, sourceOf(name)])))
    equipped.add(gateway)
  }
  const [module, name] = half.split('.')
  const text = `from _tendril.${module} import ${name}\n${name}(channel, ${Object.keys(kwargs).join(', ')})`
  return gateway.remoteExec({ text, name: `<tendril>/${module}` }, kwargs)
}

function sourceOf(name: string): { file: string; source: string; package: boolean } {
  const source = readFileSync(new URL(`./${name}.py`, import.meta.url), 'utf8')
  return { file: `<tendril>/${name}.py`, source, package: false }
}
