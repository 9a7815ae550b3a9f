/**
 * What users hold of objects of a worker: proxies, whose properties are attributes there. Whether one can be awaited tells what it is: an
 * expression gives its value, a pending reference the reference, and a reference is no promise at all, so that it can be returned.
 */
import { splitArguments } from './kwargs.js'
import { operations } from './operations.js'
import { ask, made, PLACE, type Place, placeOf, settle, tell, textOf } from './place.js'
import type { Name } from './steps.js'

/** A proxy of a place. */
export function proxyOf<T extends object>(place: Place): T {
  return new Proxy(target, new PlaceHandler(place)) as unknown as T // what the user says it is
}

/** All proxies are of one function, so that they can be called. What Node prints of a proxy is its target. */
const target = Object.assign((): void => undefined, { [Symbol.for('nodejs.util.inspect.custom')]: inspected })

function inspected(this: object): string {
  const place = placeOf(this)
  return place === undefined ? '' : textOf(place)
}

/** What is called without arguments on an object, though its name could be one of Python's. */
const methods: Readonly<Record<string, (place: Place) => unknown>> = Object.assign(Object.create(null), {
  value: (place: Place) => ask(place),
  ref: (place: Place) => settle(place),
  dispose: (place: Place) => place.base?.dispose(),
})

class PlaceHandler implements ProxyHandler<object> {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  get(_target: object, key: string | symbol): unknown {
    const place = this.#place
    if (typeof key === 'symbol') return symbolOf(place, key)
    if (key === 'then' || key === 'catch' || key === 'finally') return promised(place, key)
    if (key === 'toJSON') return undefined // or JSON.stringify would call it
    const operation = operations[key]
    if (operation !== undefined) return (...args: readonly unknown[]) => operation(place, ...args)
    return proxyOf({ world: place.world, base: place.base, names: [...place.names, nameOf(key)], gives: 'value' })
  }

  apply(_target: object, _self: unknown, args: readonly unknown[]): unknown {
    const place = this.#place
    const last = place.names.at(-1)
    const method = args.length === 0 && typeof last === 'string' ? methods[last] : undefined
    if (method !== undefined) return method({ ...place, names: place.names.slice(0, -1) })
    return proxyOf(made(place, 'call', splitArguments(args)))
  }

  set(_target: object, key: string | symbol, value: unknown): boolean {
    if (typeof key === 'symbol') return false
    const name = nameOf(key)
    tell(this.#place, typeof name === 'number' ? 'setitem' : 'setattr', [name, value])
    return true
  }

  deleteProperty(_target: object, key: string | symbol): boolean {
    if (typeof key === 'symbol') return false
    const name = nameOf(key)
    tell(this.#place, typeof name === 'number' ? 'delitem' : 'delattr', [name])
    return true
  }

  ownKeys(): [] {
    return []
  }
}

/** `object[0]` is an item: no attribute has such a name. */
function nameOf(key: string): Name {
  return /^(0|-?[1-9]\d{0,14})$/.test(key) ? Number(key) : key
}

function promised(place: Place, key: 'then' | 'catch' | 'finally'): unknown {
  if (place.gives === 'itself') return undefined
  return (...args: never[]) => {
    const promise = place.gives === 'value' ? ask(place) : settle(place)
    return Reflect.apply(promise[key], promise, args)
  }
}

function symbolOf(place: Place, key: symbol): unknown {
  switch (key) {
    case PLACE:
      return place
    case Symbol.asyncIterator:
      return () => iterate(place)
    case Symbol.dispose:
      return () => place.base?.dispose()
    case Symbol.asyncDispose:
      return async () => place.base?.dispose()
    case Symbol.toPrimitive:
      return () => textOf(place)
    case Symbol.toStringTag:
      return 'Remote'
    default:
      return undefined
  }
}

/** The worker's iterator comes a round trip later; leaving this one leaves that. */
async function* iterate(place: Place): AsyncGenerator<unknown, void, undefined> {
  yield* (await ask(place, 'iter')) as AsyncIterable<unknown> // what comes of an iterator
}
