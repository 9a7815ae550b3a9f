/** How objects of the worker look here: what `T` describes can be called, read and written, and all of it happens there. */
import type { RemoteIterator } from '../calls/remote-iterator.js'
import type { Kwargs } from './kwargs.js'

/**
 * An object of the worker. Attributes are its properties, and calling it calls it; the result is an {@link Expression}.
 * Names that TypeScript cannot have as properties are reached with the methods whose names begin with `$`, which Python's never do.
 *
 * `T` is what is known of it: an interface with its functions and constants, such as `tendril types` writes. Without one anything goes.
 *
 * @example
 * ```ts
 * const { os } = gateway.modules as Remote<{ os: { getcwd(): string } }>
 * const folder = await os.getcwd() // a string
 * ```
 */
export type Remote<T = unknown> = Members<T> & Operations<T>

/** The modules of a worker, of which nothing is known, as of what `JSON.parse` gives: `as Remote<…>` says what they are. */
export type Modules = ReturnType<typeof JSON.parse>

/**
 * What an operation on the worker will come to. It has left already; waiting for it gives its value, and until then it can be used as the
 * object that it will be: a whole chain is one round trip.
 */
export type Expression<T = unknown> = Promise<T> & Remote<T>

/** What a reference will be: waiting for it gives the reference, once its object is there. */
export type Pending<T = unknown> = Promise<RemoteObject<T>> & Remote<T>

/** An object of the worker that is held here until it is disposed of. Waiting for it does nothing: it can be returned and kept. */
export type RemoteObject<T = unknown> = Remote<T> & AsyncDisposable & Disposable

/** What can be done with every object, whatever its own names are. */
export interface Operations<T> {
  /** Its value, as every value comes: a copy. */
  value(): Promise<T>
  /** A reference to it, once it is there. @throws {@link RemoteError} when it could not be made. */
  ref(): Promise<RemoteObject<T>>
  /** Lets go of it: once all that was asked of it is done, it is released there. */
  dispose(): void
  /** The items that it gives. Leaving the loop closes a generator. */
  [Symbol.asyncIterator](): RemoteIterator<ItemOf<T>>

  /** An attribute whose name is one of these methods. */
  $attr<R = unknown>(name: string): Expression<R>
  $set(name: string, value: unknown): Promise<void>
  $delete(name: string): Promise<void>
  /** What it holds under a key: `object[key]`. */
  $item<R = ItemOf<T>>(key: unknown): Expression<R>
  $setItem(key: unknown, value: unknown): Promise<void>
  $deleteItem(key: unknown): Promise<void>
  /** Whether something is `in` it. */
  $has(value: unknown): Promise<boolean>
  $length(): Promise<number>
  /** Calls it, with what is no property of TypeScript: an attribute that is called `value`, say. */
  $call<R = unknown>(args?: readonly unknown[], kwargs?: Readonly<Record<string, unknown>>): Expression<R>
  /** What a function of Python's module `operator` makes of it, such as `add`, `and_` or `lt`. */
  $op<R = unknown>(operator: Operator, ...operands: readonly unknown[]): Expression<R>
  /** Whether it is that very object. */
  $is(other: unknown): Promise<boolean>
  /** Whether it is equal to that, as Python says. */
  $equals(other: unknown): Promise<boolean>
  $repr(): Promise<string>
  $str(): Promise<string>
  /** The name of its type, such as `collections.OrderedDict`. */
  $type(): Promise<string>
  $dir(): Promise<string[]>
  /** Enters it as a context manager. Disposing of what this gives leaves it. */
  $enter<R = unknown>(): Promise<RemoteObject<R>>
  /** As Python's `with`: what the body throws reaches `__exit__`, which may suppress it; then there is no result. */
  $with<R, E = unknown>(body: (entered: RemoteObject<E>) => Promise<R> | R): Promise<R | undefined>
}

/** The functions of Python's module `operator` that there have always been; newer ones go by their names as well. */
export type Operator =
  | 'add'
  | 'sub'
  | 'mul'
  | 'matmul'
  | 'truediv'
  | 'floordiv'
  | 'mod'
  | 'pow'
  | 'neg'
  | 'pos'
  | 'abs'
  | 'and_'
  | 'or_'
  | 'xor'
  | 'inv'
  | 'invert'
  | 'not_'
  | 'lshift'
  | 'rshift'
  | 'lt'
  | 'le'
  | 'eq'
  | 'ne'
  | 'ge'
  | 'gt'
  | 'is_'
  | 'is_not'
  | 'truth'
  | 'index'
  | 'concat'
  | 'contains'
  | 'countOf'
  | 'indexOf'
  | 'getitem'
  | 'setitem'
  | 'delitem'
  | 'iadd'
  | 'isub'
  | 'imul'
  | 'imatmul'
  | 'itruediv'
  | 'ifloordiv'
  | 'imod'
  | 'ipow'
  | 'iand'
  | 'ior'
  | 'ixor'
  | 'ilshift'
  | 'irshift'
  | 'iconcat'
  | (string & {})

/** What iterating gives. */
type ItemOf<T> = T extends string ? string : T extends Iterable<infer I> | AsyncIterable<infer I> ? I : unknown

/** What may stand where a value is wanted: the value, or an object of the worker that is one, in a list too. */
type Passed<A> = A | Operations<A> | PassedIn<A>
type PassedIn<A> = A extends readonly unknown[] ? { [K in keyof A]: Passed<A[K]> } : never
type PassedAll<A extends readonly unknown[]> = { [K in keyof A]: Passed<A[K]> }

type Members<T> = unknown extends T ? Dynamic : Callable<T> & Properties<T>

type Callable<T> = T extends (...args: infer A) => infer R
  ? (...args: [...PassedAll<A>, ...kwargs: Kwargs<object>[]]) => Expression<Awaited<R>>
  : unknown

/** What TypeScript knows of a text or a list is not what Python has. */
type Properties<T> = T extends string | number | bigint | boolean | null | undefined | Uint8Array
  ? Dynamic
  : T extends readonly (infer I)[]
    ? { readonly [index: number]: Expression<I> } & Dynamic
    : { readonly [K in Exclude<keyof T, keyof Operations<T> | symbol>]: Expression<T[K]> }

/** An object that nothing is known of. With `noUncheckedIndexedAccess`, TypeScript takes its properties for possibly undefined. */
interface Dynamic {
  (...args: readonly unknown[]): Expression
  readonly [name: string]: Expression
}
