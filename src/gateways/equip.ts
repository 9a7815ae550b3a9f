/** Python files of features, which lie beside the TypeScript that speaks to them: pushed to a gateway when it first needs them. */
import { readFileSync } from 'node:fs'
import type { PushedSource } from './extras.js'
import type { Gateway } from './gateway.js'

const sources = new Map<string, PushedSource>()
const equipped = new WeakMap<Gateway, Set<string>>()

/**
 * Has modules of ours there, as `_tendril.NAME`, before anything that is executed later; each is sent once a gateway.
 *
 * @param beside - The `import.meta.url` of whoever asks: the files lie in its folder.
 */
export function equip(gateway: Gateway, beside: string, names: readonly string[]): void {
  const known = equipped.get(gateway) ?? new Set()
  const missing = names.filter((name) => !known.has(name))
  if (missing.length === 0) return
  gateway.push(Object.fromEntries(missing.map((name) => [`_tendril.${name}`, sourceOf(name, beside)])))
  equipped.set(gateway, new Set([...known, ...missing]))
}

function sourceOf(name: string, beside: string): PushedSource {
  let source = sources.get(name)
  if (source === undefined) {
    const text = readFileSync(new URL(`./${name}.py`, beside), 'utf8')
    source = { file: `<tendril>/${name}.py`, source: text, package: false }
    sources.set(name, source)
  }
  return source
}
