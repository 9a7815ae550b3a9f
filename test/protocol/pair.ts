/**
 * A connection and the worker's end of its wire, without a wire: tests say what the worker sends, in chunks of any size, and see
 * what it gets. The worker here knows no rules, so that it can break them.
 */
import { Connection, type ConnectionLimits } from '../../src/protocol/connection.js'
import type { ConnectionEvents } from '../../src/protocol/connection-events.js'
import { FrameReader, joinPieces } from '../../src/protocol/frame-reader.js'
import { encodeFrame, Kind } from '../../src/protocol/frames.js'

export interface Frame {
  readonly kind: number
  readonly flags: number
  readonly channel: number
  readonly payload: Uint8Array
}

/** A call of one of a connection's events: its name and what it was given, bytes as text. */
export type Happening = readonly [name: string, ...args: unknown[]]

export interface PairOptions extends ConnectionLimits {
  readonly marker?: string
  /** The worker's bytes arrive so many at a time; all at once when absent. */
  readonly chunkBytes?: number
}

/** Names by number, so that a failing test shows words. */
const kindNames = new Map(Object.entries(Kind).map(([name, kind]) => [kind as number, name]))

export class Pair {
  readonly connection: Connection
  /** All that has happened on the connection so far, but `onOutgoing`. */
  readonly happenings: Happening[] = []
  /** How often the connection said that it has something to send. */
  outgoingCalls = 0
  readonly #chunkBytes: number
  readonly #reader: FrameReader
  #frames: Frame[] = []

  constructor({ marker, chunkBytes, ...limits }: PairOptions = {}) {
    this.connection = new Connection(this.#events(), marker, limits)
    this.#chunkBytes = chunkBytes ?? Number.POSITIVE_INFINITY
    this.#reader = new FrameReader((kind, flags, channel, pieces) =>
      this.#frames.push({ kind, flags, channel, payload: joinPieces(pieces) }),
    )
  }

  /** The worker sends a frame. */
  say(kind: number, channel: number, payload: string | Uint8Array = '', flags = 0): void {
    this.feed(encodeFrame(kind, flags, channel, typeof payload === 'string' ? bytesOf(payload) : payload))
  }

  /** The worker sends bytes. */
  feed(bytes: Uint8Array): void {
    for (const chunk of cut(bytes, this.#chunkBytes)) this.connection.receive(chunk)
  }

  /** The frames that the worker gets of one write of at most about so many bytes. */
  take(maxBytes = Number.POSITIVE_INFINITY): Frame[] {
    for (const chunk of this.connection.takeOutgoing(maxBytes)) this.#reader.push(chunk)
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  /** The same, in words: `DATA 1`. */
  takeNames(maxBytes?: number): string[] {
    return this.take(maxBytes).map(({ kind, channel }) => `${kindNames.get(kind)} ${channel}`)
  }

  #events(): ConnectionEvents {
    const note =
      (name: string) =>
      (...args: unknown[]): void => {
        this.happenings.push([name, ...args.map((arg) => (arg instanceof Uint8Array ? textOf(arg) : arg))])
      }
    return {
      onHello: note('hello'),
      onOpen: note('open'),
      onItem: note('item'),
      onBytes: note('bytes'),
      onEnd: note('end'),
      onClose: note('close'),
      onOutput: note('output'),
      onStatus: note('status'),
      onOutgoing: () => {
        this.outgoingCalls++
      },
    }
  }
}

/** Bytes of text whose characters are all bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** Copies of consecutive pieces, as a transport hands them out; at least one. */
export function cut(bytes: Uint8Array, chunkBytes: number): Uint8Array[] {
  if (bytes.length <= chunkBytes) return [bytes]
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.slice(at, at + chunkBytes))
  return chunks
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return joinPieces(parts)
}
