/**
 * Python sources that workers get beside `bootstrap.py` (PROTOCOL.md §7), which stays small enough to read and to send: an
 * extra is a file that lies beside the TypeScript that speaks to it, and a row here.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { deflateSync } from 'node:zlib'
import { dumps } from '../protocol/codec.js'

/** A source as PUSH carries it. */
export interface PushedSource {
  readonly file: string
  readonly source: string
  readonly package: boolean
}

/** What must be there before any user code runs: it goes ahead of the first task. */
const earlyFiles = ['../channels/channel.py', './output.py', './guard.py', './setup.py']
/** What the first result can do without: it follows the first task, in the same write. */
const lateFiles = [
  '../protocol/values.py',
  '../protocol/reducing.py',
  '../protocol/pieces.py',
  '../channels/arriving.py',
  './leaving.py',
  './reading.py',
  './failures.py',
  './callbacks.py',
  './threads.py',
  './files.py',
  './python2.py',
]

let early: Uint8Array | undefined
let late: Uint8Array | undefined

/** PUSH's payload with the extras that go ahead of the first task; made once a process. */
export function earlyExtras(): Uint8Array {
  early ??= pushPayload(readExtras(earlyFiles))
  return early
}

/** PUSH's payload with the extras that follow the first task; made once a process. */
export function lateExtras(): Uint8Array {
  late ??= pushPayload(readExtras(lateFiles))
  return late
}

/** What PUSH carries: the sources by module name, pickled and deflated. */
export function pushPayload(sources: Readonly<Record<string, PushedSource>>): Uint8Array {
  return deflateSync(dumps(sources), { level: 9 })
}

function readExtras(files: readonly string[]): Record<string, PushedSource> {
  return Object.fromEntries(
    files.map((file) => {
      const name = basename(file, '.py')
      const source = readFileSync(new URL(file, import.meta.url), 'utf8')
      return [`_tendril.${name}`, { file: `<tendril>/${name}.py`, source, package: false }]
    }),
  )
}
