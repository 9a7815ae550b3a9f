/** Specs as objects, `{ ssh: host, env: { NAME: text } }`: an object becomes the text that stands for it. */
import { XSpecError } from '../errors.js'
import { propertyOf, suggestionFor, xspecKeys } from './xspec-keys.js'
import { segmentsOf } from './xspec-text.js'
import { formatValue } from './xspec-values.js'

// The spec of error texts: what is in it stays out of them.
const spec = 'an object'

/**
 * Writes an object as the text of a spec, its own properties in their order.
 *
 * @throws {@link XSpecError} for a key that there is not, and for a value that the key cannot have.
 */
export function formatObject(object: unknown): string {
  if (typeof object !== 'object' || object === null || Array.isArray(object))
    throw new XSpecError(
      `a spec is text, an XSpec or an object of keys, not ${object === null ? 'null' : Array.isArray(object) ? 'an array' : typeof object}`,
    )
  return Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]: [string, unknown]) =>
      name === 'env' ? formatVariables(value) : formatKey(keyNamed(name), value),
    )
    .join('//')
}

function formatVariables(env: unknown): string[] {
  if (typeof env !== 'object' || env === null || Symbol.iterator in env)
    throw new XSpecError('"env" of a spec is an object of variables')
  return Object.entries(env)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      checkVariable(name)
      return formatValue(`env:${name}`, [{ value }], spec)
    })
}

/** A name has no form but the plain one. */
function checkVariable(name: string): void {
  const [segment, ...more] = segmentsOf(`env:${name}`)
  if (name !== '' && !/[=*\0\p{Cs}]|\*$/u.test(name) && segment !== undefined && more.length === 0) return
  throw new XSpecError(`no spec can have a variable ${JSON.stringify(name)}; rename it`)
}

function formatKey(key: string, value: unknown): string[] {
  const takes = xspecKeys.get(key)?.takes
  if (takes === 'nothing' && value === false) return []
  if ((takes === 'nothing' || takes === 'text or nothing') && value === true) return [key]
  if (takes === 'nothing') throw new XSpecError(`"${key}" takes no value; write ${key}: true`)
  return [formatValue(key, [{ value }], spec)]
}

/** The key of a property, which is named like it or in camelCase. */
function keyNamed(name: string): string {
  const key = [...xspecKeys.keys()].find((candidate) => candidate === name || propertyOf(candidate) === name)
  if (key !== undefined) return key
  throw new XSpecError(`unknown key ${JSON.stringify(name)} in a spec object; ${suggestionFor(name)}`)
}
