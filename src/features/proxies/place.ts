/** Where an object of a worker is found: at a reference or in a module, and the names of attributes from there. */
import { RemoteReferenceError } from '../../core.js'
import { Reference } from './reference.js'
import { type Base, type Name, type StepsToAsk, wanted } from './steps.js'

/** Names are only collected: what is done with them is a step. */
export interface Place {
  readonly world: World
  /** Undefined for the modules: names begin with that of one. */
  readonly base: Reference | undefined
  readonly names: readonly Name[]
  /** What awaiting it gives: its value, a reference, or nothing but itself, because it is no promise. */
  readonly gives: 'value' | 'reference' | 'itself'
}

/** What places of one gateway have in common. */
export interface World {
  readonly steps: StepsToAsk
  /** What users hold of a place. Its type is their claim: nothing is known of an object of the worker. */
  proxyOf<T extends object>(place: Place): T
}

/** Under this, and nobody knows it, a proxy gives its place. */
export const PLACE: unique symbol = Symbol('place')

/** What a proxy stands for. */
export function placeOf(proxy: object): Place | undefined {
  return typeof proxy === 'function' ? (Reflect.get(proxy, PLACE) as Place | undefined) : undefined // only ours have it
}

/** A place that is an object's own, not a name on the way to one. */
export function isObject(place: Place): place is Place & { readonly base: Reference } {
  return place.base !== undefined && place.names.length === 0
}

/** The reference behind a value, if the value is a remote object. @throws {@link RemoteReferenceError} for a name that was not read yet. */
export function referenceOf(value: object): Reference | undefined {
  if (value instanceof Reference) return value
  const place = placeOf(value)
  if (place === undefined || isObject(place)) return place?.base
  throw new RemoteReferenceError(
    `${textOf(place)} is only a name until it is used: send its value(), or what its ref() gives`,
  )
}

/** What an operation will come to. It leaves now. */
export function made(
  place: Place,
  operation: string,
  operands: readonly unknown[],
): Place & { readonly base: Reference } {
  const [first, ...others] = operands
  const given = operation === 'call' && Array.isArray(first) ? [read(first), ...others] : read(operands)
  const base = place.world.steps.add(...startOf(place), operation, given)
  return { world: place.world, base, names: [], gives: 'value' }
}

/** Has something done, and waits for nothing: a failure is printed there. */
export function tell(place: Place, operation: string, operands: readonly unknown[]): void {
  place.world.steps.tell(...startOf(place), operation, read(operands))
}

/** The value of a place, or what an operation gives there. */
export async function ask(place: Place, operation = 'get', operands: readonly unknown[] = []): Promise<unknown> {
  const { steps } = place.world
  if (operation === 'get' && isObject(place)) return await steps.settle(place.base, wanted.value)
  return await steps.ask(...startOf(place), operation, read(operands))
}

/** A reference to what is at a place, once it is there. */
export async function settle<T extends object>(place: Place): Promise<T> {
  const { base } = isObject(place) ? place : made(place, 'get', [])
  await place.world.steps.settle(base, wanted.success)
  return place.world.proxyOf({ world: place.world, base, names: [], gives: 'itself' })
}

export function textOf({ base, names }: Place): string {
  const start = base === undefined ? 'modules' : `${base}`
  return `<Python: ${[start, ...names].join('.')}>`
}

function startOf({ base, names }: Place): [base: Base, names: readonly Name[]] {
  if (base !== undefined) return [base, names]
  const first = names.findIndex((name) => typeof name !== 'string')
  const dotted = first < 0 ? names : names.slice(0, first)
  if (dotted.length === 0)
    throw new RemoteReferenceError(
      '`gateway.modules` itself cannot be sent: name a module, such as `gateway.modules.os`',
    )
  return [dotted.join('.'), names.slice(dotted.length)]
}

/** Operands, with what is only a name read: it is an object of its own then. */
function read(operands: readonly unknown[]): unknown[] {
  return operands.map((operand) => {
    const place = typeof operand === 'function' ? placeOf(operand) : undefined
    return place === undefined || isObject(place) ? operand : made(place, 'get', []).base
  })
}
