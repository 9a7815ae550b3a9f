/** `--provide`: what remote code may import from this side. */
import type { ProvideOptions } from '../index.js'

/** Reads the words of the options: a path is a folder or a wheel to import from, a name a package to send whole and ahead. */
export function readProvided(words: readonly string[]): ProvideOptions {
  const wheels = words.filter((word) => word.endsWith('.whl'))
  const roots = words.filter((word) => !wheels.includes(word) && /[/\\]|^\.+$/.test(word))
  return { roots, wheels, packages: words.filter((word) => !roots.includes(word) && !wheels.includes(word)) }
}
