/** Python files of features, which lie beside the TypeScript that speaks to them: pushed to a gateway when it first needs them. */
import type { PushedSource } from './extras.js'
import { readWorkerSource } from './worker-source.js'

/** What modules can be sent to: a gateway. */
interface Equipped {
  push(sources: Readonly<Record<string, PushedSource>>): void
}

const sources = new Map<string, PushedSource>()
/** What is pushed together is packed once a process: gateways ask for the same. */
const pushed = new Map<string, Readonly<Record<string, PushedSource>>>()
const equipped = new WeakMap<Equipped, Set<string>>()

/**
 * Has modules of ours there, as `_tendril.NAME`, before anything that is executed later; each is sent once a gateway.
 *
 * @param beside - The `import.meta.url` of whoever asks, or `workerFolder`: the files lie in its folder.
 */
export function equip(gateway: Equipped, beside: string, names: readonly string[]): void {
  const known = equipped.get(gateway) ?? new Set()
  const missing = names.filter((name) => !known.has(name))
  if (missing.length === 0) return
  const together = missing.join()
  const all =
    pushed.get(together) ?? Object.fromEntries(missing.map((name) => [`_tendril.${name}`, sourceOf(name, beside)]))
  pushed.set(together, all)
  gateway.push(all)
  equipped.set(gateway, new Set([...known, ...missing]))
}

function sourceOf(name: string, beside: string): PushedSource {
  let source = sources.get(name)
  if (source === undefined) {
    const text = readWorkerSource(new URL(`./${name}.py`, beside))
    source = { file: `<tendril>/${name}.py`, source: text, package: false }
    sources.set(name, source)
  }
  return source
}
