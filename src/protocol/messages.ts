/**
 * What workers say that tendril itself reads: a row a message, checked in one place before anybody uses it. What only passes through (items,
 * results, arguments) has no row. Failures (PROTOCOL.md §4) have none either: whatever comes in their place is read as far as it makes sense.
 */
import { ProtocolError } from '../errors.js'
import { onOneLine } from '../one-line.js'
import {
  anything,
  boolean,
  bytes,
  count,
  dict,
  dictOf,
  either,
  integer,
  list,
  members,
  nullable,
  number,
  optional,
  record,
  type Shape,
  text,
} from './shapes.js'

/** A message by its name in errors. */
export interface Message<T> {
  readonly name: string
  readonly shape: Shape<T>
}

/** What a message is. */
export type Of<M> = M extends Message<infer T> ? T : never

// Of a path, a name or a word: longer than any system has.
const name = text(64 * 1024)
/** Pythons before 3 have paths that are no text. */
const path = either(name, bytes)
// Of what people read, in characters: the most that a worker sends, or tells of at once.
const prose = text(2 ** 21)

const info = {
  pid: count,
  executable: nullable(path),
  version_info: members(count, count, count, name, count),
  platform: name,
  implementation: name,
  cwd: nullable(path),
}

interface Info {
  readonly pid: number
  readonly executable: string | Uint8Array | null
  readonly version_info: readonly [number, number, number, string, number]
  readonly platform: string
  readonly implementation: string
  readonly cwd: string | Uint8Array | null
}

/** PROTOCOL.md §3; the version goes ahead, as what another one says of itself may have another shape. */
export const version: Message<{ readonly version: number }> = row('a hello', record({ version: integer() }))
export const hello: Message<Info & { readonly pickle: number; readonly error: string | null }> = row(
  'a hello',
  record({ ...info, pickle: integer(2, 5), error: nullable(prose) }),
)
export const status: Message<
  Info & { readonly num_channels: number; readonly num_executing: number; readonly execmodel: string }
> = row('a status', record({ ...info, num_channels: count, num_executing: count, execmodel: name }))

/** PROTOCOL.md §12. */
export const reply: Message<readonly [number: number, value: unknown, failure?: unknown, kind?: 'items' | 'stream']> =
  row(
    'a reply',
    either(
      either(members(count, anything), members(count, anything, anything)),
      members(count, anything, anything, either(word('items'), word('stream'))),
    ),
  )
/** The asker is a number or the channel of a task; anything else is nobody. */
export const question: Message<
  readonly [number: number, target: number | string, args: readonly unknown[], kwargs: object, asker: unknown]
> = row(
  'a question',
  members(integer(Number.MIN_SAFE_INTEGER, -1), either(count, prose), list(anything), dict, anything),
)
/** What the control channel tells: a word, and this. */
export interface Told {
  readonly dequeued: readonly [request: number, behind: number | null]
  readonly waits: readonly [question: number, asker: number, requests: readonly number[]]
  readonly wake: readonly []
  readonly pong: readonly []
  readonly interrupted: readonly [request: number]
  readonly begun: readonly [request: number, isAwaited: boolean]
  readonly deaf: readonly [request: number, why: string]
  readonly dropped: readonly [callback: number, times: number]
}
const told: { readonly [Word in keyof Told]: Shape<Told[Word]> } = {
  dequeued: members(count, nullable(count)),
  waits: members(count, integer(), list(integer(), 100)),
  wake: members(),
  pong: members(),
  interrupted: members(count),
  begun: members(count, boolean),
  deaf: members(count, text(1000)),
  dropped: members(count, count),
}
export const steps: Message<readonly unknown[]> = row('the items of an iterator', list(anything))

export const counts: Message<readonly [number, number, number, number]> = row(
  'its counts',
  members(count, count, count, count),
)
export const running: Message<number> = row('how many tasks run', count)
export const thread: Message<string | null> = row('the name of a thread', nullable(name))

interface Frame {
  readonly file: string
  readonly line: number | null
  readonly name: string
  readonly text: string
}

interface Stack {
  readonly ident: number
  readonly name: string
  readonly is_main: boolean
  readonly performing: string | null
  readonly frames: readonly Frame[]
  readonly omitted: number
}

export const stack: Message<Stack> = row(
  'a stack',
  record({
    ident: number,
    name,
    is_main: boolean,
    performing: nullable(prose),
    frames: list(record({ file: prose, line: nullable(integer()), name: prose, text: prose }), 1000),
    omitted: count,
  }),
)

interface FailureWithLocals {
  readonly frames: readonly { readonly locals: Readonly<Record<string, string>> | undefined }[]
  readonly cause: unknown
}

/** Beside what every failure has. */
export const postMortem: Message<FailureWithLocals> = row(
  'a failure with locals',
  record({ frames: list(record({ locals: optional(dictOf(prose)) })), cause: anything }),
)

interface LogEntry {
  readonly level: string
  readonly levelNumber: number
  readonly logger: string
  readonly message: string
  readonly time: number
  readonly file: string
  readonly line: number
  readonly function: string | null
  readonly thread: string | null
  readonly exception: string | null
  /** A payload for each value. */
  readonly extra: Readonly<Record<string, Uint8Array>>
}

/** How many were dropped before, and records. */
export const log: Message<readonly [dropped: number, records: readonly LogEntry[]] | null> = row(
  'log records',
  nullable(
    members(
      count,
      list(
        record({
          level: prose,
          levelNumber: number,
          logger: prose,
          message: prose,
          time: number,
          file: prose,
          line: integer(),
          function: nullable(prose),
          thread: nullable(prose),
          exception: nullable(prose),
          extra: dictOf(bytes, 1000),
        }),
        1000,
      ),
    ),
  ),
)
/** The line of a server that was started (`installvia=`); or what it said instead, and its exit code. */
export const server: Message<string | readonly [words: string, exitCode: number]> = row(
  'what became of a server',
  either(text(4096), members(text(4096), integer())),
)

/** How a process ended that a carrier has started: its code, or the system's word for why it did not start, and the same in words. */
export const end: Message<
  readonly ['exit', code: number] | readonly ['failed', code: number | string | null, text: string]
> = row(
  'how a process ended',
  either(members(word('exit'), integer()), members(word('failed'), nullable(either(integer(), name)), prose)),
)

/**
 * The value as the message that it is to be.
 *
 * @throws {@link ProtocolError} when it is of another shape.
 */
export function read<T>({ name, shape }: Message<T>, value: unknown): T {
  if (shape(value)) return value
  throw new ProtocolError(`the worker sent ${name} of a form that PROTOCOL.md does not have: ${seen(value)}`)
}

/** @throws {@link ProtocolError} for what is none of these. */
export function readTold(value: unknown): readonly [word: keyof Told, ...args: readonly unknown[]] {
  if (Array.isArray(value)) {
    const [word, ...args] = value as readonly unknown[]
    if (typeof word === 'string' && isTold(word) && told[word](args)) return [word, ...args]
  }
  throw new ProtocolError(`the worker told what PROTOCOL.md does not have: ${seen(value)}`)
}

function isTold(word: string): word is keyof Told {
  return Object.hasOwn(told, word)
}

function row<T>(name: string, shape: Shape<T>): Message<T> {
  return { name, shape }
}

function word<W extends string>(one: W): Shape<W> {
  return (value): value is W => value === one
}

/** Words for people, as faults are told in; of whatever else is in their place, what it is. */
export function said(value: unknown): string {
  return prose(value) ? value : seen(value)
}

// Of a value of which nothing is known: its members are not looked into.
const SEEN_CHARACTERS = 60

/** What an error shows of a value. */
export function seen(value: unknown): string {
  if (typeof value === 'string') return onOneLine(JSON.stringify(value.slice(0, SEEN_CHARACTERS)))
  if (typeof value === 'bigint') return 'a long int'
  if (Array.isArray(value))
    return `a list of ${value.length}${value.length === 0 ? '' : `, which begins with ${kind(value[0])}`}`
  return typeof value === 'object' || typeof value === 'function' ? kind(value) : String(value)
}

function kind(value: unknown): string {
  if (value === null) return 'None'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? seen(value) : `a ${typeof value}`
}
