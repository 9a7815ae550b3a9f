/**
 * What is asked of objects of the worker, step by step. A step that goes on from the one before it travels with it: a chain is one
 * request, and one round trip. Steps leave in the order in which they were written, with what was written then.
 */
import { AsyncResource } from 'node:async_hooks'
import { asError, DumpError, queueMicrotask } from '../../core.js'
import type { CallOptions } from '../calls/call-options.js'
import { copied } from './operands.js'
import { Reference, type References } from './reference.js'

/** An attribute's name, or the key of an item. */
export type Name = string | number

/** Where a step starts: at an object, at a dotted name of a module, or nowhere: then it is an operation of the session. */
export type Base = Reference | string | null

/** What a request is to come to, as the worker is told: nothing that anybody waits for, whether it came to be, or the value. */
export const wanted = { nothing: 0, success: 1, value: 2 } as const
export type Wanted = (typeof wanted)[keyof typeof wanted]

/** Sends a chain. What is pinned for it is unpinned when it was answered. @throws {@link DumpError} */
export type SendSteps = (
  chain: readonly unknown[],
  pinned: readonly Reference[],
  options: CallOptions | undefined,
) => Promise<unknown>

/** Something that is to be done, and what it will have come to. */
interface Step {
  readonly result: Reference | undefined
  readonly base: Base
  readonly rest: readonly [names: readonly Name[], operation: string, ...operands: readonly unknown[]]
  /** May end it before its time. */
  readonly options: CallOptions | undefined
}

/** Of one request. What goes on from there is another, in the same write. */
const MAX_STEPS = 1000

/** What can be asked for. */
export type StepsToAsk = Pick<Steps, 'add' | 'tell' | 'ask' | 'settle'>

/** The steps of one gateway. */
export class Steps {
  readonly #references: References
  readonly #send: SendSteps
  readonly #question: () => number | undefined
  #open: Step[] = []
  /** Where the first of the open steps was written: what leaves later leaves as if from there. */
  #context: { readonly question: number | undefined; readonly resource: AsyncResource } | undefined
  #sending: readonly Step[] = []
  #waits = 0
  #options: CallOptions | undefined
  readonly #onTurn = (): void => queueMicrotask(this.#onSecondTurn)
  readonly #onSecondTurn = (): void => {
    if (--this.#waits === 0) this.flush()
  }

  /** @param question - The question of the worker's that the code which runs now is to answer. */
  constructor(references: References, send: SendSteps, question: () => number | undefined) {
    this.#question = question
    this.#references = references
    this.#send = send
  }

  /** The same steps, asked for with options. */
  with(options: CallOptions): StepsToAsk {
    const within =
      <A extends unknown[], R>(ask: (...args: A) => R) =>
      (...args: A): R => {
        const before = this.#options
        this.#options = options
        try {
          return ask.apply(this, args)
        } finally {
          this.#options = before
        }
      }
    return { add: within(this.add), tell: within(this.tell), ask: within(this.ask), settle: within(this.settle) }
  }

  /** Asks for something, now or with what is asked of its result at once. @returns What it will be. */
  add(base: Base, names: readonly Name[], operation: string, operands: readonly unknown[]): Reference {
    this.#check(base)
    const last = this.#open.at(-1)
    const result = this.#references.make(base instanceof Reference && base === last?.result ? base : undefined)
    if (base instanceof Reference && base.failure !== undefined) result.failure = base.failure
    else this.#write({ result, base, operation, names, operands })
    return result
  }

  /** Has something done that nobody waits for: a failure is printed there. @throws {@link DumpError} */
  tell(base: Base, names: readonly Name[], operation: string, operands: readonly unknown[]): void {
    this.#check(base)
    this.#push(undefined, base, [names, operation, ...operands])
    this.#flush(wanted.nothing).catch(() => undefined) // the gateway has ended
  }

  /** Asks for a value: nothing of it is kept there. @throws What is known now to be wrong; the rest is in the promise. */
  ask(base: Base, names: readonly Name[], operation: string, operands: readonly unknown[]): Promise<unknown> {
    this.#check(base)
    if (base instanceof Reference && base.failure !== undefined) throw base.failure
    this.#push(undefined, base, [names, operation, ...operands])
    return this.#flush(wanted.value)
  }

  /** Waits for what was asked for: for its value, or only until it is there. @throws As {@link Steps.ask}. */
  settle(result: Reference, wants: Wanted): Promise<unknown> {
    this.#check(result)
    if (wants === wanted.success) this.#references.keep(result)
    if (this.#open.at(-1)?.result === result) return this.#flush(wants)
    if (result.failure !== undefined) throw result.failure
    this.#push(undefined, result, [[], 'get'])
    return this.#flush(wants)
  }

  /** Sends what is open: something else is about to be. */
  flush(): void {
    if (this.#open.length === 0) return
    try {
      this.#flush(wanted.nothing).catch(() => undefined)
    } catch {
      // whoever uses a result is told
    }
  }

  /** Whether it is the result of a step of the request that is being encoded. */
  isBeingSent(reference: Reference): boolean {
    return this.#sending.some(({ result }) => result === reference)
  }

  #check(base: Base): void {
    if (base instanceof Reference) this.#references.check(base)
  }

  #write(step: {
    result: Reference
    base: Base
    operation: string
    names: readonly Name[]
    operands: readonly unknown[]
  }): void {
    const { result, base, operation, names } = step
    const [operands, areCopies] = copied(step.operands)
    result.pin()
    this.#push(result, base, [names, operation, ...operands])
    if (!areCopies) this.flush()
    else if (this.#open.length === 1) this.#sendSoon()
  }

  #push(result: Reference | undefined, base: Base, rest: Step['rest']): void {
    const options = this.#options
    const last = this.#open.at(-1)
    const goesOn = last?.result !== undefined && base === last.result && (result?.id ?? 0) - 1 <= last.result.id
    const question = this.#question()
    const isShort = this.#open.length < MAX_STEPS
    const isAsBefore = options === last?.options && question === this.#context?.question
    if (last !== undefined && !(goesOn && isShort && isAsBefore)) this.flush()
    if (this.#open.length === 0) this.#context = { question, resource: new AsyncResource('TendrilSteps') }
    if (base instanceof Reference) base.pin()
    this.#open.push({ result, base, rest, options })
  }

  /** Two turns of the microtask queue from now: by then an `await` that was written with the step has said that it waits. */
  #sendSoon(): void {
    this.#waits++
    queueMicrotask(this.#onTurn)
  }

  #flush(wants: Wanted): Promise<unknown> {
    const steps = this.#open
    this.#open = []
    const send = (): Promise<unknown> => this.#sendAll(steps, wants)
    return this.#context === undefined ? send() : this.#context.resource.runInAsyncScope(send)
  }

  #sendAll(steps: readonly Step[], wants: Wanted): Promise<unknown> {
    this.#sending = steps
    try {
      return this.#send(chainOf(steps, wants), pinnedBy(steps), steps[0]?.options)
    } catch (error) {
      throw this.#refuse(steps, error)
    } finally {
      this.#sending = []
    }
  }

  /** What comes before a step that cannot be sent is sent all the same; what comes behind it fails of the same. */
  #refuse(steps: readonly Step[], error: unknown): Error {
    const [index, failure] = explain(error, steps)
    const before = steps.slice(0, index)
    const others = steps.slice(index)
    for (const { result } of others) if (result !== undefined) result.failure = failure
    for (const reference of pinnedBy(others)) reference.unpin()
    if (before.length > 0) this.#sendAll(before, wanted.nothing).catch(() => undefined)
    return failure
  }
}

/** The wire's form (PROTOCOL.md §12): numbers are given to the results in their order. */
function chainOf(steps: readonly Step[], wants: Wanted): unknown[] {
  const [first] = steps
  const base = first?.base
  const kept = steps.at(-1)?.result === undefined ? steps.length - 1 : steps.length
  const chain: unknown[] = [wants, first?.result?.id ?? 0, kept, base instanceof Reference ? base.id : base]
  for (const { rest } of steps) {
    const [names, operation, ...operands] = rest
    const isPlainCall = operation === 'call' && operands.length === 1 && names.every(isPlainName)
    if (isPlainCall) chain.push(names.join('.'), operands[0])
    else chain.push([operation, ...names], operands)
  }
  return chain
}

function isPlainName(name: Name): boolean {
  return typeof name === 'string' && name !== '' && !name.includes('.')
}

/** What must not be released before the request was answered. */
function pinnedBy(steps: readonly Step[]): Reference[] {
  const pinned: Reference[] = []
  for (const { base, result } of steps) {
    if (base instanceof Reference) pinned.push(base)
    if (result !== undefined) pinned.push(result)
  }
  return pinned
}

/** In a request, the place of the first step's operands: behind its operation, and what chainOf says of the chain. */
const FIRST_OPERANDS = 6

/** The step at fault, and the error as whoever wrote it can read it. */
function explain(error: unknown, steps: readonly Step[]): [index: number, failure: Error] {
  const failure = asError(error)
  if (!(error instanceof DumpError)) return [0, failure]
  const index = (Number(/^item\[(\d+)\]/.exec(error.path)?.[1]) - FIRST_OPERANDS) / 2
  const step = steps[index]
  if (step === undefined) return [0, failure]
  const [names, operation, ...operands] = step.rest
  const isPlainCall = operation === 'call' && operands.length === 1 && names.every(isPlainName)
  const [place = '', operand] = (isPlainCall ? /^item\[\d+\]()/ : /^item\[\d+\]\[(\d+)\]/).exec(error.path) ?? []
  const name = operandNames(step)[Number(operand)] ?? 'value'
  const path = error.path.replace(place, name)
  return [
    index,
    new DumpError(
      error.message.replace(error.path, () => path),
      { path, cause: error.cause },
    ),
  ]
}

/** What the user calls the operands of a step. */
function operandNames({ base, rest: [, operation] }: Step): readonly string[] {
  if (base !== null) return operation === 'call' ? ['args', 'kwargs'] : []
  return operation === 'call' ? ['path', 'args', 'kwargs'] : operation === 'eval' ? ['text', 'names'] : ['path']
}
