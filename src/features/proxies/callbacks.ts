/**
 * The way back (PROTOCOL.md §12): what is exposed to the worker, and functions that were passed to it, which live here for as long
 * as they do there. Twin: controller.py.
 */
import { asError, DumpError, messages, RemoteError } from '../../core.js'

/** Functions that a worker may call by their names. */
export type Exposed = Readonly<Record<string, (...args: never[]) => unknown>>

/** What the worker asks: the number of its question, a name or the number of a callback, arguments and keyword arguments. */
export type Question = readonly [number: number, target: number | string, args: readonly unknown[], kwargs: object]

/** Sends an answer. @throws {@link DumpError} for one that cannot be sent. */
export type SendAnswer = (number: number, answer: readonly unknown[]) => void

/** So many errors that went to the worker are remembered, in case they come back. */
const REMEMBERED_ERRORS = 100

type Callable = (...args: readonly unknown[]) => unknown

/** One gateway's. */
export class Callbacks {
  readonly #answer: SendAnswer
  readonly #exposed = new Map<string, Callable>()
  readonly #numbers = new WeakMap<object, number>()
  readonly #passed = new Map<number, { readonly function: object; times: number }>()
  readonly #errors = new Map<number, unknown>()
  #made = 0
  #thrown = 0
  #running = 0

  constructor(answer: SendAnswer) {
    this.#answer = answer
  }

  /** How many functions the worker holds, and how many calls of it are being answered. */
  get counts(): { readonly callbacks: number; readonly callsBack: number } {
    return { callbacks: this.#passed.size, callsBack: this.#running }
  }

  /** Whether there is anything that the worker may call. */
  get canBeAsked(): boolean {
    return this.#exposed.size + this.#passed.size > 0
  }

  get hasExposed(): boolean {
    return this.#exposed.size > 0
  }

  /** @returns Takes the names back. */
  expose(functions: Exposed): () => void {
    // Of an object with very many properties V8 makes entries at several times the cost of keys.
    const entries = Object.keys(functions).map((name): [string, Callable] => {
      const value = functions[name]
      if (typeof value !== 'function') throw new TypeError(`cannot expose ${name}: it is no function`)
      if (!/^(?!_)[\p{L}\p{N}_]+$/u.test(name))
        throw new TypeError(`cannot expose ${name}: it is no public name of Python`)
      return [name, (...args) => Reflect.apply(value, functions, args)]
    })
    for (const [name, callable] of entries) this.#exposed.set(name, callable)
    return () => {
      for (const [name, callable] of entries) if (this.#exposed.get(name) === callable) this.#exposed.delete(name)
    }
  }

  /** The number of a function that is being passed. */
  pass(callable: object): number {
    const number = this.#numbers.get(callable) ?? ++this.#made
    this.#numbers.set(callable, number)
    const passed = this.#passed.get(number) ?? { function: callable, times: 0 }
    passed.times++
    this.#passed.set(number, passed)
    return number
  }

  /** The function that comes back. */
  passed(number: number): object | undefined {
    return this.#passed.get(number)?.function
  }

  /** What was passed so often, or was not sent after all, is not held there any more. */
  drop(number: number, times: number): void {
    const passed = this.#passed.get(number)
    if (passed === undefined) return
    passed.times -= times
    if (passed.times <= 0) this.#passed.delete(number)
  }

  /**
   * The worker asks. Nothing waits for the function, and nothing is thrown here.
   *
   * @param close - Called when the answer is known.
   */
  async onAsked([number, target, args, kwargs]: Question, close: () => void): Promise<void> {
    this.#running++
    let answer: readonly unknown[]
    try {
      answer = [await this.#call(target, args, kwargs)]
    } catch (error) {
      answer = this.#failureOf(error)
    }
    close()
    this.#running--
    this.#send(number, answer)
  }

  /** Puts errors that were thrown here in their places among the causes of a failure that they led to there. */
  withOriginals(error: Error): Error {
    for (let at: unknown = error; at instanceof RemoteError; at = at.cause) {
      const number = at.type === 'ControllerError' ? at.args[3] : undefined
      const original = typeof number === 'number' ? this.#errors.get(number) : undefined
      if (original === undefined) continue
      Object.defineProperty(at, 'cause', { value: original, configurable: true, writable: true })
      break
    }
    return error
  }

  async #call(target: number | string, args: readonly unknown[], kwargs: object): Promise<unknown> {
    const given = Object.keys(kwargs).length === 0 ? args : [...args, kwargs]
    if (typeof target === 'number') {
      const passed = this.#passed.get(target)
      if (passed !== undefined) return Reflect.apply(passed.function as Callable, undefined, given) // only functions are passed
    }
    const exposed = this.#exposed.get(String(target))
    if (exposed !== undefined) return exposed(...given)
    const names = [...this.#exposed.keys()].join(', ') || 'nothing'
    throw new NotExposedError(`the controller does not expose ${messages.seen(target)}; it exposes ${names}`)
  }

  #send(number: number, answer: readonly unknown[]): void {
    try {
      this.#answer(number, answer)
    } catch (error) {
      if (!(error instanceof DumpError)) return // the gateway has ended, and with it whoever asked
      const message = error.message.replace('send item[0]', 'send result')
      this.#send(number, this.#failureOf(new DumpError(message, { path: error.path, cause: error.cause })))
    }
  }

  #failureOf(error: unknown): readonly unknown[] {
    this.#errors.set(++this.#thrown, error)
    this.#errors.delete(this.#thrown - REMEMBERED_ERRORS)
    const thrown = asError(error)
    return [null, String(thrown.name), String(thrown.message), String(thrown.stack), this.#thrown]
  }
}

/** Python knows it as an AttributeError. */
class NotExposedError extends Error {
  override readonly name = 'AttributeError'
}
