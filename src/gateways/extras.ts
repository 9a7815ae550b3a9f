/**
 * Python sources that workers get beside `bootstrap.py` (PROTOCOL.md §7), which stays small enough to read and to send: an
 * extra is a file that lies beside the TypeScript that speaks to it, and a row here.
 */
import { basename } from 'node:path'
import { deflateSync } from 'node:zlib'
import { dumps } from '../protocol/codec.js'
import { readWorkerSource } from './worker-source.js'

/** A source as PUSH carries it. */
export interface PushedSource {
  readonly file: string
  readonly source: string
  readonly package: boolean
}

/** What must be there before any user code runs: it travels with `bootstrap.py`. In this order they deflate best. */
const earlyFiles = [
  '../worker/guard.py',
  '../worker/setup.py',
  '../channels/channel.py',
  '../worker/output.py',
  '../worker/outgoing.py',
  '../worker/relay.py',
]
/** What the first result can do without: it follows the first task, in the same write. */
const lateFiles = [
  '../protocol/values.py',
  '../protocol/reducing.py',
  '../protocol/pieces.py',
  '../channels/arriving.py',
  '../channels/inbox.py',
  '../worker/memory.py',
  '../worker/draining.py',
  '../worker/leaving.py',
  '../worker/forked.py',
  '../worker/handlers.py',
  '../worker/windows.py',
  '../worker/strikes.py',
  '../worker/reading.py',
  '../worker/failures.py',
  '../worker/linecaches.py',
  '../channels/handles.py',
  '../channels/members.py',
  '../worker/callbacks.py',
  '../worker/succession.py',
  '../worker/execmodel.py',
  '../worker/strings.py',
  '../worker/scopes.py',
  '../worker/pure.py',
  '../worker/start_methods.py',
  '../worker/threads.py',
  '../worker/awaiting.py',
  '../worker/encoded.py',
  '../worker/files.py',
  '../worker/originals.py',
  '../worker/worlds.py',
]

/** Beside which the files lie that some workers need: see `equip`. */
export const workerFolder: string = new URL('../worker/', import.meta.url).href

let late: Uint8Array | undefined

/** The extras that travel with `bootstrap.py`: of each its name and its source. */
export function earlyExtras(): [name: string, source: string][] {
  return earlyFiles.map((file) => [basename(file, '.py'), readWorkerSource(new URL(file, import.meta.url))])
}

/** The extras that follow the first task, on their way to one worker. */
export class LateExtras {
  readonly #push: (payload: Uint8Array) => void
  #wereSent = false

  constructor(push: (payload: Uint8Array) => void) {
    this.#push = push
  }

  /** Sends them unless they were sent. */
  send(): void {
    if (this.#wereSent) return
    this.#wereSent = true
    this.#push(lateExtras())
  }
}

/** PUSH's payload with them; made once a process. */
export function lateExtras(): Uint8Array {
  late ??= pushPayload(readExtras(lateFiles))
  return late
}

const packed = new WeakMap<object, Uint8Array>()

/** What PUSH carries: the sources by module name, pickled and deflated. Of the same object it is made once. */
export function pushPayload(sources: Readonly<Record<string, PushedSource>>): Uint8Array {
  const payload = packed.get(sources) ?? deflateSync(dumps(sources), { level: 9 })
  packed.set(sources, payload)
  return payload
}

function readExtras(files: readonly string[]): Record<string, PushedSource> {
  return Object.fromEntries(
    files.map((file) => {
      const name = basename(file, '.py')
      const source = readWorkerSource(new URL(file, import.meta.url))
      return [`_tendril.${name}`, { file: `<tendril>/${name}.py`, source, package: false }]
    }),
  )
}
