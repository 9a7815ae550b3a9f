/**
 * Values that are of another realm, such as a `vm` context or Jest's environment, or of another install of this package: what they are is asked of
 * their internal slots and brands, because `instanceof` knows only the classes of this one.
 */

const brand = Symbol.for('tendril.value')

/** Has `instanceof` know the instances that other installs made. @param classes - By their names, which are the same everywhere. */
export function brandValues(classes: Readonly<Record<string, { readonly prototype: object }>>): void {
  for (const [name, valueClass] of Object.entries(classes)) {
    Object.defineProperty(valueClass.prototype, brand, { value: name })
    Object.defineProperty(valueClass, Symbol.hasInstance, { value: hasInstance })
  }
}

/** The name of the class of ours that a prototype is of; undefined for any other. */
export function brandOf(prototype: object): string | undefined {
  const name: unknown = Object.getOwnPropertyDescriptor(prototype, brand)?.value
  return typeof name === 'string' ? name : undefined
}

/** Whether it is a value of a class of ours, whosever install made it. */
export function isBranded(value: object): boolean {
  return brand in value
}

function hasInstance(this: { readonly prototype: object }, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !(brand in value)) return false // most of what is asked about
  const name = brandOf(this.prototype)
  // A class of the user's that extends one of ours has no brand of its own: it is asked as usual.
  if (name === undefined) return Function.prototype[Symbol.hasInstance].call(this, value)
  for (let at: unknown = value; typeof at === 'object' && at !== null; at = Object.getPrototypeOf(at)) {
    if (brandOf(at) === name) return true
  }
  return false
}

/** Whether it is a date, whosever. */
export const isDate = (value: object): value is Date => has(() => Date.prototype.getTime.call(value))
export const isMap = (value: object): value is Map<unknown, unknown> => has(() => mapSize?.call(value))
export const isSet = (value: object): value is Set<unknown> => has(() => setSize?.call(value))
export const isBytes = (value: unknown): value is Uint8Array =>
  ArrayBuffer.isView(value) && Reflect.get(value, Symbol.toStringTag) === 'Uint8Array'
export const isArrayBuffer = (value: object): value is ArrayBuffer => has(() => byteLength?.call(value))

/** Whether it names itself so, for what has no slot that can be asked for. */
export function isTagged(value: unknown, tag: string): value is object {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === `[object ${tag}]`
}

const getterOf = (prototype: object, name: string): ((this: unknown) => unknown) | undefined =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get
const mapSize = getterOf(Map.prototype, 'size')
const setSize = getterOf(Set.prototype, 'size')
const byteLength = getterOf(ArrayBuffer.prototype, 'byteLength')

/** Methods of built-in classes throw when what they are called on has not their slots. */
function has(ask: () => unknown): boolean {
  try {
    ask()
    return true
  } catch {
    return false
  }
}
