/**
 * Reads what superjson has written, within bounds. superjson itself has none: it makes whatever a document says, however long that takes, and
 * counts through Sets and Maps for each path. Here the time grows with the document alone.
 */
import { CLASH, Clashes, FEW_CLASH_STEPS } from '../protocol/codec/clashes.js'
import { isPlainDict } from '../protocol/codec/containers.js'
import { checkDigits, checkHost } from './js-graph.js'

/** What stands for the value of a name, made of its JSON; undefined for a name that nobody knows. */
export type Custom = (name: unknown) => ((json: unknown) => unknown) | undefined

const notSent = 'it is not the document of a value that was sent'
/** Errors and the like are shallow. */
const MAX_DEPTH = 200
const forbidden = new Set(['__proto__', 'prototype', 'constructor'])

/** @throws Error for what superjson has not written, or what takes too long to make. */
export function readDocument(document: string, custom: Custom): unknown {
  const result: unknown = JSON.parse(document)
  if (!isPlainDict(result) || !isPlainDict(result['meta']) || !Array.isArray(result['meta']['values']))
    throw new Error(notSent)
  checkDepth(result, MAX_DEPTH)
  const reading = new Reading(custom)
  const value = reading.annotate(result['json'], result['meta']['values'])
  return reading.finish(value, result['meta']['referentialEqualities'])
}

/** @throws Error for what is nested deeper than so many levels. */
export function checkDepth(value: unknown, left: number = MAX_DEPTH): void {
  if (typeof value !== 'object' || value === null) return
  if (left === 0) throw new Error(`it is nested deeper than ${MAX_DEPTH}.`)
  for (const member of Object.values(value)) checkDepth(member, left - 1)
}

/** One document's. */
class Reading {
  readonly #custom: Custom
  /** Sets and Maps, which are filled at the end: until then a path leads into the lists of their members. */
  readonly #members = new Map<unknown, unknown[]>()

  constructor(custom: Custom) {
    this.#custom = custom
  }

  /** @param tree - `[annotation, children]` or, where nothing is annotated, the children by their paths. */
  annotate(json: unknown, tree: unknown): unknown {
    const [annotation, children]: unknown[] = Array.isArray(tree) ? tree : [undefined, tree]
    for (const [path, child] of Object.entries(children ?? {}))
      this.#put(json, path, (member) => this.annotate(member, child))
    return annotation === undefined ? json : this.#make(annotation, json)
  }

  /** @param equalities - Paths by the path of what stands there too; ahead of them, in a list, those of the whole. */
  finish(value: unknown, equalities: unknown): unknown {
    const [whole, others]: unknown[] = Array.isArray(equalities) ? equalities : [[], equalities]
    this.#repeat(value, value, whole)
    for (const [path, paths] of Object.entries(others ?? {})) this.#repeat(value, this.#get(value, path), paths)
    const clashes = new Clashes(FEW_CLASH_STEPS)
    for (const [container, members] of this.#members) fill(container, members, clashes)
    return value
  }

  #repeat(root: unknown, value: unknown, paths: unknown): void {
    if (!Array.isArray(paths)) throw new Error(notSent)
    for (const path of paths) this.#put(root, String(path), () => value)
  }

  #get(root: unknown, path: string): unknown {
    return segments(path).reduce((at, key) => this.#inside(at, key)[key], root)
  }

  #put(root: unknown, path: string, change: (member: unknown) => unknown): void {
    const keys = segments(path)
    const last = keys.pop() ?? ''
    const at = this.#inside(
      keys.reduce((place, key) => this.#inside(place, key)[key], root),
      last,
    )
    at[last] = change(at[last])
  }

  /** Where a member is. */
  #inside(container: unknown, key: string): Record<string, unknown> {
    const inside = this.#members.get(container) ?? container
    const isList = Array.isArray(inside)
    if ((!isList && !isPlainDict(inside)) || forbidden.has(key) || (isList && key === 'length'))
      throw new Error(notSent)
    if (!Object.hasOwn(inside, key)) throw new Error(notSent)
    return inside as Record<string, unknown> // a list has its indexes as keys, too
  }

  #make(annotation: unknown, json: unknown): unknown {
    if (annotation === 'undefined') return undefined
    if (annotation === 'set' || annotation === 'map') return this.#container(annotation, json)
    const [kind, name]: unknown[] = Array.isArray(annotation) ? annotation : [annotation]
    if (kind === 'custom') {
      const make = this.#custom(name)
      if (make !== undefined) return make(json)
    } else if (typeof json === 'string') {
      if (kind === 'bigint') return BigInt(checkDigits(json))
      if (kind === 'Date') return new Date(json)
      if (kind === 'number') return Number(json)
      if (kind === 'URL') return new URL(checkHost(json))
    }
    throw new Error(`it holds a ${String(kind).slice(0, 100)} that was not sent as one`)
  }

  #container(kind: 'set' | 'map', json: unknown): object {
    if (!Array.isArray(json)) throw new Error(notSent)
    const container = kind === 'set' ? new Set() : new Map()
    this.#members.set(container, json)
    return container
  }
}

function fill(container: unknown, members: readonly unknown[], clashes: Clashes): void {
  if (container instanceof Map) {
    if (clashes.add(container, members.map(keyOf), 0, members.length)) throw new Error(CLASH)
    for (const entry of members) if (Array.isArray(entry)) container.set(entry[0], entry[1])
  } else if (container instanceof Set) {
    if (clashes.add(container, members, 0, members.length)) throw new Error(CLASH)
    for (const member of members) container.add(member)
  }
}

function keyOf(entry: unknown): unknown {
  if (!Array.isArray(entry)) throw new Error(notSent)
  return entry[0]
}

/** The keys of a path: dots between them, a backslash ahead of dots and backslashes in them. */
function segments(path: string): string[] {
  const keys: string[] = []
  let key = ''
  for (const [part] of path.matchAll(/\\[\\.]|\.|[^\\.]+/g)) {
    if (part === '.') {
      keys.push(key)
      key = ''
    } else key += part.startsWith('\\') ? part.slice(1) : part
  }
  return [...keys, key]
}
