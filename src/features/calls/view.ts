/** Views: a gateway once more, with defaults for the calls that are made through it. */
import { anySignal, isAbortSignal } from '../../core.js'
import type { CallOptions } from './call-options.js'

/** Options of a call, with defaults: its own go first, and each signal that there is aborts it. */
export function withDefaults<O extends CallOptions>(
  options: O | undefined,
  defaults: CallOptions | undefined,
): O | CallOptions | undefined {
  if (defaults === undefined || options == null) return options ?? defaults
  if (typeof options !== 'object') return options // it is refused where it is used
  return {
    ...options,
    signal: both(defaults.signal, options.signal),
    timeout: options.timeout ?? defaults.timeout,
    killAfter: options.killAfter ?? defaults.killAfter,
  }
}

/** A signal that is none is refused where it is used. */
function both(outer: AbortSignal | undefined, inner: AbortSignal | undefined): AbortSignal | undefined {
  if (outer === undefined || inner === undefined) return outer ?? inner
  return isAbortSignal(inner) ? anySignal([outer, inner]) : inner
}

/**
 * A gateway whose methods of these names find another scope. All else is the gateway's own, but that disposing of a view ends nothing.
 *
 * @param scoped - They use nothing of the gateway but its `scope`.
 */
export function viewOf<G extends { readonly scope: object }>(
  gateway: G,
  scope: G['scope'],
  scoped: ReadonlySet<PropertyKey>,
): G {
  const bound = new Map<PropertyKey, unknown>([
    ['scope', scope],
    [Symbol.asyncDispose, () => Promise.resolve()],
  ])
  const view: G = new Proxy(gateway, {
    get: (target, key) => {
      if (bound.has(key)) return bound.get(key)
      const owner = scoped.has(key) ? view : target
      const value: unknown = Reflect.get(target, key, owner)
      if (typeof value !== 'function' || key === 'constructor' || isAccessor(target, key)) return value
      const method: unknown = value.bind(owner)
      bound.set(key, method)
      return method
    },
  })
  return view
}

/** What a getter gives is no method, though remote objects are functions. */
function isAccessor(object: object | null, key: PropertyKey): boolean {
  for (let owner = object; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
    const property = Reflect.getOwnPropertyDescriptor(owner, key)
    if (property !== undefined) return property.get !== undefined
  }
  return false
}
