/** Shapes of what a peer has sent: a value is held against one before anybody uses it. None looks further than it has to. */
import { isPlainDict } from './codec/containers.js'

/** Tells whether a value is of a shape. */
export type Shape<T> = (value: unknown) => value is T
/** What is of a shape. */
export type Shaped<S> = S extends Shape<infer T> ? T : never

type Shapes = readonly Shape<unknown>[]
type Members<S extends Shapes> = { readonly [Index in keyof S]: Shaped<S[Index]> }
type Fields = Readonly<Record<string, Shape<unknown>>>
type Owners<F extends Fields> = { readonly [Name in keyof F]: Shaped<F[Name]> }

export const anything: Shape<unknown> = (_value): _value is unknown => true
export const boolean: Shape<boolean> = (value): value is boolean => typeof value === 'boolean'
export const number: Shape<number> = (value): value is number => typeof value === 'number'
export const bytes: Shape<Uint8Array> = (value): value is Uint8Array => value instanceof Uint8Array
/** The keyword arguments of a call: Python 2 may have names that are no text. */
export const dict: Shape<object> = (value): value is object => isPlainDict(value) || value instanceof Map

export function integer(
  least: number = Number.MIN_SAFE_INTEGER,
  most: number = Number.MAX_SAFE_INTEGER,
): Shape<number> {
  return (value): value is number =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}

/** Counts and numbers of things, from 0. */
export const count: Shape<number> = integer(0)

export function text(mostCharacters: number): Shape<string> {
  return (value): value is string => typeof value === 'string' && value.length <= mostCharacters
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value): value is T | null => value === null || shape(value)
}

export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value): value is T | undefined => value === undefined || shape(value)
}

export function either<A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> {
  return (value): value is A | B => one(value) || other(value)
}

/** A list, or a tuple, of any length up to a most. */
export function list<T>(member: Shape<T>, most: number = Number.POSITIVE_INFINITY): Shape<readonly T[]> {
  return once((value): value is readonly T[] => Array.isArray(value) && value.length <= most && value.every(member))
}

/** A list with so many members, each of its own shape. */
export function members<S extends Shapes>(...shapes: S): Shape<Members<S>> {
  return (value): value is Members<S> =>
    Array.isArray(value) && value.length === shapes.length && shapes.every((shape, at) => shape(value[at]))
}

/** A dict with these fields; it may have others. */
export function record<F extends Fields>(fields: F): Shape<Owners<F>> {
  const entries = Object.entries(fields)
  return (value): value is Owners<F> =>
    isPlainDict(value) && entries.every(([name, shape]) => shape(Object.hasOwn(value, name) ? value[name] : undefined))
}

/** A dict of any names, of any number up to a most. */
export function dictOf<T>(
  member: Shape<T>,
  most: number = Number.POSITIVE_INFINITY,
): Shape<Readonly<Record<string, T>>> {
  return once((value): value is Readonly<Record<string, T>> => {
    if (!isPlainDict(value)) return false
    const all = Object.values(value)
    return all.length <= most && all.every(member)
  })
}

/** Looks through each container once, however often a value refers to it: nobody changes it meanwhile. */
function once<T extends object>(shape: Shape<T>): Shape<T> {
  const known = new WeakSet<object>()
  return (value): value is T => {
    if (typeof value === 'object' && value !== null && known.has(value)) return true
    if (!shape(value)) return false
    known.add(value)
    return true
  }
}
