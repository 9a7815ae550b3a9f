/**
 * What is asked of objects of the worker, step by step. A step that goes on from the one before it travels with it: a chain is one
 * request, and one round trip. Steps leave in the order in which they were written, with what was written then.
 */
import { DumpError } from '../core.js'
import { Reference, type References } from './reference.js'
import { copied } from './operands.js'

/** An attribute's name, or the key of an item. */
export type Name = string | number

/** Where a step starts: at an object, at a dotted name of a module, or nowhere: then it is an operation of the session. */
export type Base = Reference | string | null

/** What a request is to come to: nothing that anybody waits for, whether it came to be, or the value itself. */
export type Wanted = 'nothing' | 'success' | 'value'

/** What steps need of the session. */
export type SendSteps = (steps: readonly unknown[], wants: number) => Promise<unknown>

interface Step {
  readonly result: Reference | undefined
  readonly base: Base
  readonly wire: readonly unknown[]
}

/** The steps of one gateway. */
export class Steps {
  readonly #references: References
  readonly #send: SendSteps
  #open: Step[] = []
  /** What is being encoded now, and by whom it is made. */
  #sending: readonly Step[] = []

  constructor(references: References, send: SendSteps) {
    this.#references = references
    this.#send = send
  }

  /** Asks for something, now or with what is asked of its result at once. @returns What its result is called. */
  add(base: Base, names: readonly Name[], operation: string, operands: readonly unknown[]): Reference {
    const result = this.#references.make()
    if (this.#fails(base, result)) return result
    const [operandsNow, areCopies] = copied(operands)
    this.#push({ result, base, wire: [names, operation, ...operandsNow] })
    if (areCopies) this.#sendSoon()
    else this.flush()
    return result
  }

  /** Asks for a value, and waits for it: nothing is kept of it there. */
  async ask(base: Base, names: readonly Name[], operation: string, operands: readonly unknown[]): Promise<unknown> {
    if (base instanceof Reference) {
      this.#references.check(base)
      if (base.failure !== undefined) throw base.failure
    }
    this.#push({ result: undefined, base, wire: [names, operation, ...operands] })
    return this.#flush('value')
  }

  /** Waits for a result that was asked for: for its value, or only until it is there. */
  async settle(result: Reference, wants: 'success' | 'value'): Promise<unknown> {
    if (this.#open.at(-1)?.result === result) return this.#flush(wants)
    if (wants === 'value') return this.ask(result, [], 'get', [])
    if (result.failure !== undefined) throw result.failure
    this.#push({ result: undefined, base: result, wire: [[], 'get'] })
    return this.#flush('success')
  }

  /** Sends what is open: something else is about to be sent. */
  flush(): void {
    if (this.#open.length > 0) this.#flush('nothing').catch(() => undefined) // it is said of each result
  }

  /** The place of a result among the steps that are being sent; undefined when it is not one of theirs. */
  isBeingSent(reference: Reference): boolean {
    return this.#sending.some(({ result }) => result === reference)
  }

  #push(step: Step): void {
    const last = this.#open.at(-1)
    if (last !== undefined && (last.result === undefined || step.base !== last.result)) this.flush()
    if (step.base instanceof Reference) this.#references.check(step.base)
    this.#open.push(step)
  }

  /** Whether what it starts from is known to have failed: then it fails of the same. */
  #fails(base: Base, result: Reference): boolean {
    if (!(base instanceof Reference)) return false
    this.#references.check(base)
    result.failure = base.failure
    return base.failure !== undefined
  }

  /** Two turns of the microtask queue: by then an `await` that was written with the step has said that it waits. */
  #sendSoon(): void {
    if (this.#open.length > 1) return
    const [first] = this.#open
    queueMicrotask(() =>
      queueMicrotask(() => {
        if (this.#open[0] === first) this.flush()
      }),
    )
  }

  #flush(wants: Wanted): Promise<unknown> {
    const steps = this.#open
    this.#open = []
    this.#sending = steps
    const outer = steps[0]?.base
    if (outer instanceof Reference) outer.pin()
    try {
      const wire = steps.map(({ result, base, wire: rest }, at) => [result?.id ?? 0, at > 0 ? 0 : wireOf(base), ...rest])
      return this.#send(wire, wantedCodes[wants])
    } finally {
      this.#sending = []
    }
  }
}

const wantedCodes: Readonly<Record<Wanted, number>> = { nothing: 0, success: 1, value: 2 }

function wireOf(base: Base): number | string | null {
  return base instanceof Reference ? base.id : base
}
