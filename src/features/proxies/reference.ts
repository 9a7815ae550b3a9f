/**
 * Objects of the worker that are held here, by numbers that are chosen here (PROTOCOL.md §12). One is released there when it was
 * disposed of, or collected as garbage, and every request that needs it has been answered. Twin: references.py.
 */
import { queueMicrotask, RemoteReferenceError } from '../../core.js'

/** More than so many would hold up what waits behind them: a collection of garbage may drop a hundred thousand. */
const RELEASED_AT_ONCE = 1000

/**
 * References that were made by one chain. They are collected together, because each one that is watched for that costs more than all else
 * that is done for it; one that is kept for itself leaves them.
 */
export class Together {
  readonly ids: Set<number> = new Set()
}

/** An object of the worker, or what will be one. */
export class Reference {
  /** Its number in the worker's table. */
  readonly id: number
  readonly table: References
  /** @internal What it is collected with. */
  together: Together
  /** Why there will be none, when that is known here. */
  failure: Error | undefined
  isDisposed = false
  #uses = 0

  /** @internal References come from their table. */
  constructor(id: number, table: References, together: Together) {
    this.id = id
    this.table = table
    this.together = together
  }

  /** A request that needs it is on its way. */
  pin(): void {
    this.#uses++
  }

  /** That request was answered. */
  unpin(): void {
    if (--this.#uses === 0 && this.isDisposed) this.table.release(this)
  }

  /** Lets go of the object; twice is no error. */
  dispose(): void {
    if (this.isDisposed) return
    this.isDisposed = true
    if (this.#uses === 0) this.table.release(this)
  }

  toString(): string {
    return `reference ${this.id} of ${this.table.gatewayName}`
  }
}

/** What a table needs of the session. */
export interface ReferenceLink {
  /** The gateway, for errors. */
  readonly name: string
  /** Tells the worker that numbers are not needed any more. */
  release(ids: readonly number[]): void
}

/** The references of one gateway. */
export class References {
  readonly #link: ReferenceLink
  readonly #registry = new FinalizationRegistry<Set<number>>((ids) => {
    for (const id of ids) this.#drop(id)
  })
  #made = 0
  #live = 0
  #dropped: number[] = []

  constructor(link: ReferenceLink) {
    this.#link = link
  }

  /** How many are held. */
  get size(): number {
    return this.#live
  }

  get gatewayName(): string {
    return this.#link.name
  }

  /** @param other - A reference of the same chain. */
  make(other?: Reference): Reference {
    const reference = new Reference(++this.#made, this, other?.together ?? this.#watched())
    reference.together.ids.add(reference.id)
    this.#live++
    return reference
  }

  /** From now on it is held for itself: what was made with it may go before it. */
  keep(reference: Reference): void {
    const { together, id } = reference
    if (together.ids.size === 1 || !together.ids.delete(id)) return
    reference.together = this.#watched()
    reference.together.ids.add(id)
  }

  /** @throws {@link RemoteReferenceError} for a reference that was disposed of, or is of another gateway. */
  check(reference: Reference): void {
    if (reference.table !== this) {
      throw new RemoteReferenceError(
        `${reference} cannot be used on ${this.#link.name}: its object lives in another process. Send its value.`,
      )
    }
    if (reference.isDisposed) {
      throw new RemoteReferenceError(
        `${reference} cannot be used: it was disposed of. Dispose of it after its last use.`,
      )
    }
  }

  /** @internal It was disposed of, and nothing on its way needs it. */
  release(reference: Reference): void {
    reference.together.ids.delete(reference.id)
    this.#drop(reference.id)
  }

  #watched(): Together {
    const together = new Together()
    this.#registry.register(together, together.ids)
    return together
  }

  /** Those that are dropped in one turn leave together. */
  #drop(id: number): void {
    this.#live--
    if (this.#dropped.push(id) > 1) return
    queueMicrotask(() => {
      const ids = this.#dropped
      this.#dropped = []
      for (let at = 0; at < ids.length; at += RELEASED_AT_ONCE) this.#link.release(ids.slice(at, at + RELEASED_AT_ONCE))
    })
  }
}
