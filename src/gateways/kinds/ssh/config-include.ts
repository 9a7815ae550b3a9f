/** The files that an `Include` of ssh_config(5) names: patterns as glob(7) has them, relative to the folder of the configuration. */
import { readdir } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { expandTilde } from '../../../transports/local-user.js'

/** The files that match, in the order of their names; none when nothing does. */
export async function filesMatching(pattern: string, folder: string): Promise<string[]> {
  const expanded = expandTilde(pattern)
  const path = isAbsolute(expanded) ? expanded : join(folder, expanded)
  const [root = '', ...segments] = path.split(sep === '\\' ? /[\\/]/ : '/')
  let found = [root]
  for (const segment of segments) {
    const next = await Promise.all(found.map((parent) => namesIn(parent, segment)))
    found = next.flatMap((names, index) => names.map((name) => `${found[index]}${sep}${name}`))
  }
  return found
}

async function namesIn(parent: string, segment: string): Promise<string[]> {
  if (!/[*?[]/.test(segment)) return [segment]
  const expression = expressionFor(segment)
  try {
    const names = await readdir(parent === '' ? sep : parent)
    return names.filter((name) => expression.test(name) && (segment.startsWith('.') || !name.startsWith('.'))).sort()
  } catch {
    return [] // no such folder, or not for us: it matches nothing, as in OpenSSH
  }
}

function expressionFor(segment: string): RegExp {
  const source = segment.replace(/\[!?[^\]]*\]|[*?]|[.+^${}()|[\]\\]/g, (part) => {
    if (part === '*') return '.*'
    if (part === '?') return '.'
    return part.length > 1 ? part.replace('[!', '[^') : `\\${part}`
  })
  return new RegExp(`^${source}$`, 's')
}
