/**
 * What passes between a gateway and its worker, for whoever looks for a fault: a line a frame, and a line a phase of the way. They say when,
 * which way, what kind, how long; nothing of what is in a frame.
 */
import { openSync, writeSync } from 'node:fs'
import { debuglog } from 'node:util'
import { Connection } from '../protocol/connection.js'
import { FrameReader, sizeOf } from '../protocol/frame-reader.js'
import { Flag, Kind } from '../protocol/frames.js'
import { asError } from '../thrown.js'
import { monotonicMs } from '../timer.js'
import { watch } from './watching.js'

/** Takes lines such as `gw0 12.3 ms → DATA channel 1, 128 bytes, MORE`: the gateway, the milliseconds since it was launched, what it sends (→) or its worker does (←). */
export type OnTrace = (line: string) => void

const kindNames = new Map<number, string>(Object.entries(Kind).map(([name, kind]) => [kind, name]))
const debug = debuglog('tendril')
let file: OnTrace | undefined

/** One gateway's. */
export class Trace {
  readonly #gateway: string
  readonly #sinks: readonly OnTrace[]
  readonly #began = monotonicMs()

  constructor(gateway: string, sinks: readonly OnTrace[]) {
    this.#gateway = gateway
    this.#sinks = sinks
  }

  /** A step of the way to the worker. */
  phase(phase: string, detail: string | undefined, error: Error | undefined): void {
    this.say(
      `${phase}${detail === undefined ? '' : ` ${detail}`}${error === undefined ? '' : ` failed: ${error.name}`}`,
    )
  }

  /** @param arrow - Which way it goes. */
  frame(arrow: '→' | '←', kind: number, flags: number, channel: number, bytes: number): void {
    const names = Object.entries(Flag).filter(([, flag]) => (flags & flag) !== 0)
    const parts = [`${bytes} bytes`, ...names.map(([name]) => name)]
    this.say(`${arrow} ${kindNames.get(kind) ?? `kind ${kind}`} channel ${channel}, ${parts.join(', ')}`)
  }

  say(text: string): void {
    const line = `${this.#gateway} ${(monotonicMs() - this.#began).toFixed(1)} ms ${text}`
    for (const sink of this.#sinks) watch(sink, line)
  }
}

/** The trace of a gateway that somebody wants: `onTrace`, NODE_DEBUG=tendril, or TENDRIL_TRACE with the name of a file. */
export function traceOf(gateway: string, onTrace: OnTrace | undefined): Trace | undefined {
  const sinks = [onTrace, debug.enabled ? toDebug : undefined, toFile()].filter((sink) => sink !== undefined)
  return sinks.length === 0 ? undefined : new Trace(gateway, sinks)
}

function toDebug(line: string): void {
  debug('%s', line)
}

function toFile(): OnTrace | undefined {
  const path = process.env['TENDRIL_TRACE']
  if (path === undefined || path === '') return undefined
  file ??= open(path)
  return file
}

function open(path: string): OnTrace {
  try {
    const fd = openSync(path, 'a', 0o600)
    return (line) => void writeSync(fd, `${line}\n`) // at once: what ends a program amid a fault must not take lines with it
  } catch (error) {
    process.emitWarning(`TENDRIL_TRACE: nothing is traced, because ${asError(error).message}`)
    return () => undefined
  }
}

/** A connection whose frames are traced, either way. */
export class TracedConnection extends Connection {
  readonly #trace: Trace
  readonly #incoming: FrameReader
  readonly #outgoing: FrameReader

  constructor(trace: Trace, ...parts: ConstructorParameters<typeof Connection>) {
    super(...parts)
    this.#trace = trace
    this.#incoming = this.#reader('←', parts[2])
    this.#outgoing = this.#reader('→')
  }

  override receive(chunk: Uint8Array): void {
    try {
      this.#incoming.push(chunk)
    } catch (error) {
      this.#trace.say(`← no frame: ${asError(error).message.split(';')[0]}`) // behind that it quotes what came
    }
    super.receive(chunk)
  }

  override takeOutgoing(maxBytes: number): Uint8Array[] {
    const chunks = super.takeOutgoing(maxBytes)
    for (const chunk of chunks) this.#outgoing.push(chunk)
    return chunks
  }

  #reader(arrow: '→' | '←', marker?: string): FrameReader {
    return new FrameReader((kind, flags, channel, pieces) => {
      this.#trace.frame(arrow, kind, flags, channel, sizeOf(pieces))
    }, marker)
  }
}
