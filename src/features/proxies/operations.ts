/** What can be done with every object of a worker, under names that no attribute of Python's can have. */
import { asError } from '../../core.js'
import { refuseSignals } from '../calls/calls.js'
import { ask, made, type Place, settle } from './place.js'
import type { RemoteObject } from './remote.js'

type Operation = (place: Place, ...args: readonly unknown[]) => unknown

function asked(operation: string): Operation {
  return (place, ...operands) => ask(place, operation, operands)
}

/** By their names; what they do is in `Operations` of remote.ts. */
export const operations: Readonly<Record<string, Operation>> = Object.assign(Object.create(null), {
  $attr: (place, name) => place.world.proxyOf({ ...place, names: [...place.names, String(name)], gives: 'value' }),
  $set: asked('setattr'),
  $delete: asked('delattr'),
  $item: (place, key) => expression(place, 'getitem', [key]),
  $setItem: asked('setitem'),
  $deleteItem: asked('delitem'),
  $has: asked('contains'),
  $length: asked('len'),
  $call: (place, args = [], kwargs = {}) => {
    refuseSignals(kwargs, 'keyword arguments')
    return expression(place, 'call', [args, kwargs])
  },
  $op: (place, operator, ...operands) => expression(place, String(operator), operands),
  $is: asked('is_'),
  $equals: asked('eq'),
  $repr: asked('repr'),
  $str: asked('str'),
  $type: asked('type'),
  $dir: asked('dir'),
  $enter: async (place) => (await enter(place)).entered,
  $with: (place, body) => within(place, body as (entered: RemoteObject) => unknown), // as remote.ts has it
} satisfies Record<string, Operation>)

function expression(place: Place, operation: string, operands: readonly unknown[]): object {
  return place.world.proxyOf(made(place, operation, operands))
}

interface Context {
  readonly entered: RemoteObject
  /** @param failure - The name, message and stack of what was thrown. @returns Whether that is to be forgotten. */
  leave(failure: readonly unknown[] | null): Promise<boolean>
}

/** Disposing of what was entered leaves it, once. */
async function enter(place: Place): Promise<Context> {
  const manager = made(place, 'get', [])
  const entered = await settle<RemoteObject>(made(manager, 'enter', []))
  let hasLeft = false
  const leave = async (failure: readonly unknown[] | null): Promise<boolean> => {
    if (hasLeft) return false
    hasLeft = true
    try {
      return (await ask(manager, 'leave', [failure])) === true
    } finally {
      manager.base.dispose()
      entered.dispose()
    }
  }
  return { entered: disposing(entered, () => leave(null)), leave }
}

function disposing(entered: RemoteObject, leave: () => Promise<unknown>): RemoteObject {
  return new Proxy(entered, {
    get: (target, key) => (key === Symbol.asyncDispose ? async () => void (await leave()) : Reflect.get(target, key)),
  })
}

async function within(place: Place, body: (entered: RemoteObject) => unknown): Promise<unknown> {
  const { entered, leave } = await enter(place)
  let result: unknown
  try {
    result = await body(entered)
  } catch (error) {
    const { name, message, stack } = asError(error)
    if (await leave([name, message, String(stack)])) return undefined
    throw error
  }
  await leave(null)
  return result
}
