/** What stands for objects of the worker, and for functions of this side, in requests and tasks: it is asked while one is encoded. */
import { type Reference as Mark, queueMicrotask, RemoteReferenceError } from '../../core.js'
import type { RequestWatcher } from '../calls/session.js'
import type { Callbacks } from './callbacks.js'
import { referenceOf } from './place.js'
import type { Reference, References } from './reference.js'
import type { Steps } from './steps.js'

/** What the name `controller` of a task is. */
export class ControllerName {}

/** What passing needs. */
export interface PassingParts {
  readonly references: References
  readonly steps: Steps
  readonly callbacks: Callbacks
  /** Has the worker know what a mark is before it reads one. */
  prepare(): void
  /** Has the worker keep an object until a task has read the number of the loan. */
  lend(loan: number, id: number, onDone: () => void): void
}

/** What is being encoded; a getter of a value may have something else encoded meanwhile. */
interface Encoding {
  readonly kind: 'request' | 'task'
  readonly outer: Encoding | undefined
  /** What it needs, beside what is in its arguments. */
  readonly needed: readonly Reference[]
  pinned: Reference[] | undefined
  /** What stands for what: one thing has one mark, however often it occurs. */
  marks: Map<object, Mark> | undefined
}

/** One gateway's. */
export class Passing implements RequestWatcher {
  readonly #parts: PassingParts
  #encoding: Encoding | undefined
  #needed: readonly Reference[] = []
  #loans = 0

  constructor(parts: PassingParts) {
    this.#parts = parts
  }

  /** What the next request needs beside what is in its arguments: it is pinned, and unpinned when that was answered. */
  need(references: readonly Reference[]): void {
    this.#needed = references
  }

  begin(): void {
    const needed = this.#needed
    this.#needed = []
    this.#parts.steps.flush() // what was written before leaves before
    this.#begin('request', needed)
  }

  end(wasSent: boolean): (() => void) | undefined {
    const { needed, pinned = [] } = this.#end(wasSent)
    if (!wasSent || needed.length + pinned.length === 0) return undefined
    return () => {
      for (const reference of needed) reference.unpin()
      for (const reference of pinned) reference.unpin()
    }
  }

  explain(error: Error): Error {
    return this.#parts.callbacks.withOriginals(error)
  }

  /** Has a task encoded. */
  task<T>(encode: () => T): T {
    this.#begin('task', [])
    let wasSent = false
    try {
      const result = encode()
      wasSent = true
      return result
    } finally {
      this.#end(wasSent)
    }
  }

  /** What stands for an object of ours; undefined for any other. */
  markOf(object: object): Mark | undefined {
    if (object instanceof ControllerName) return { kind: 'Controller', id: 0 }
    const reference = referenceOf(object)
    if (this.#encoding === undefined) {
      if (reference === undefined) return undefined
      throw new RemoteReferenceError(`${reference} can only be an argument of a call or a task. Send its value.`)
    }
    if (reference === undefined && typeof object !== 'function') return undefined
    const encoding = this.#encoding
    const known = encoding.marks?.get(reference ?? object)
    if (known !== undefined) return known
    const mark = reference === undefined ? this.#pass(object) : this.#markOfReference(reference, encoding)
    encoding.marks ??= new Map()
    encoding.marks.set(reference ?? object, mark)
    return mark
  }

  #pass(callback: object): Mark {
    this.#parts.prepare()
    return { kind: 'Callback', id: this.#parts.callbacks.pass(callback) }
  }

  #markOfReference(reference: Reference, encoding: Encoding): Mark {
    const { references, steps } = this.#parts
    references.check(reference)
    if (reference.failure !== undefined) throw reference.failure
    if (encoding.kind === 'task') return { kind: 'Lent', id: this.#lend(reference) }
    reference.pin()
    encoding.pinned ??= []
    encoding.pinned.push(reference)
    return { kind: steps.isBeingSent(reference) ? 'Step' : 'Ref', id: reference.id }
  }

  /** A task is not answered when it has read its arguments: what it is lent is its own. */
  #lend(reference: Reference): number {
    const loan = ++this.#loans
    reference.pin()
    queueMicrotask(() => this.#parts.lend(loan, reference.id, () => reference.unpin()))
    return loan
  }

  #begin(kind: Encoding['kind'], needed: readonly Reference[]): void {
    this.#encoding = { kind, outer: this.#encoding, needed, pinned: undefined, marks: undefined }
  }

  #end(wasSent: boolean): Encoding {
    const encoding = this.#encoding
    if (encoding === undefined) throw new Error('nothing is being encoded')
    this.#encoding = encoding.outer
    if (!wasSent) {
      for (const { kind, id } of encoding.marks?.values() ?? [])
        if (kind === 'Callback') this.#parts.callbacks.drop(id, 1)
      for (const reference of encoding.pinned ?? []) reference.unpin()
    }
    return encoding
  }
}
