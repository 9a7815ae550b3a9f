/** How errors name a place inside a value: `item.users[3].created`. */

/** A key of a map or set, which may be anything. */
export class KeySegment {
  readonly part: 'key' | 'value'
  readonly key: unknown

  constructor(part: 'key' | 'value', key: unknown) {
    this.part = part
    this.key = key
  }
}

/** One step into a container: an index, a property, or a key of a map or set. */
export type PathSegment = number | string | KeySegment

export function formatPath(segments: readonly PathSegment[]): string {
  return `item${segments.map(formatSegment).join('')}`
}

function formatSegment(segment: PathSegment): string {
  if (typeof segment === 'number') return `[${segment}]`
  if (typeof segment === 'string') {
    return /^[A-Za-z_$][\w$]*$/.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`
  }
  return segment.part === 'value' ? `.get(${formatKey(segment.key)})` : `{${formatKey(segment.key)}}`
}

function formatKey(key: unknown): string {
  if (typeof key === 'string') return JSON.stringify(key)
  return typeof key === 'object' && key !== null ? nameOf(key) : String(key)
}

/** The name of an object's class. */
export function nameOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  const maker: unknown =
    typeof prototype === 'object' && prototype !== null ? Reflect.get(prototype, 'constructor') : undefined
  return typeof maker === 'function' && maker.name !== '' ? maker.name : 'an object'
}
