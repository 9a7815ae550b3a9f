/** Modules of the worker of which only some functions can be called; their state stays between calls. Twin: service.py. */
import { readSource, type Source } from '../../core.js'
import type { Kwargs } from './kwargs.js'
import { splitArguments } from './kwargs.js'

/** What a service is made with. */
export interface ServiceOptions<T> {
  /** The functions that can be called. No other name of the module can be reached. */
  readonly expose: readonly (keyof T & string)[]
  /** How many of its calls run beside each other, in threads of its own; one after the other with all other calls of the gateway when absent. */
  readonly threads?: number
}

/** The functions of a service, and nothing else. The last argument may be made by `kwargs`. */
export type Service<T> = AsyncDisposable & {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: [...A, ...kwargs: Kwargs<object>[]]) => Promise<Awaited<R>>
    : never
} & {
  /** Lets go of the module. */
  dispose(): Promise<void>
}

/** Has something done by the worker; `where` says where it is to begin, see `SendOptions`. */
export type Ask = (
  where: number | undefined,
  subject: string,
  operation: string,
  ...args: readonly unknown[]
) => Promise<unknown>

/** Names that an object of a promise's or of ours has already. */
const RESERVED = ['then', 'dispose']

let made = 0

/** Starts a service. A source that is a mere string is the path of a file: a module, unlike what is executed, is seldom a line of text. */
export async function startService<T>(ask: Ask, source: Source, options: ServiceOptions<T>): Promise<Service<T>> {
  const names = checked(options?.expose)
  const {
    source: text,
    file,
    function: functionName,
  } = readSource(typeof source === 'string' ? { file: source } : source)
  if (functionName !== null) throw new TypeError(`a service is a whole module: expose ${functionName} instead`)
  const number = ++made
  const threads = checkedThreads(options.threads)
  const where = threads === undefined ? undefined : -number
  await ask(undefined, file, 'service.start', number, text, file, names, threads ?? null)
  const stop = async (): Promise<void> => void (await ask(undefined, file, 'service.stop', number))
  const functions = names.map((name) => [
    name,
    async (...args: readonly unknown[]) => ask(where, name, 'service.call', number, name, ...splitArguments(args)),
  ])
  const service: object = Object.assign(Object.create(null), Object.fromEntries(functions))
  Object.defineProperties(service, { dispose: { value: stop }, [Symbol.asyncDispose]: { value: stop } })
  return Object.freeze(service) as Service<T> // what it exposes is what the caller says
}

function checkedThreads(threads: number | undefined): number | undefined {
  if (threads === undefined || (Number.isInteger(threads) && threads >= 1)) return threads
  throw new RangeError(`the threads of a service must be a whole number from 1 on, not ${threads}`)
}

function checked(names: readonly string[] | undefined): readonly string[] {
  if (!Array.isArray(names) || names.length === 0) {
    throw new TypeError("a service needs the names of its functions: { expose: ['lookup'] }")
  }
  const reserved = names.find((name) => RESERVED.includes(name))
  if (reserved !== undefined) throw new TypeError(`a service cannot expose ${reserved}: it has that name already`)
  return names
}
