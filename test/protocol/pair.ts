/**
 * A connection and the worker's end of its wire, without a wire: tests say what the worker sends, in chunks of any size, and see
 * what it gets. The worker here knows no rules, so that it can break them.
 */
import { encode } from '../../src/protocol/codec.js'
import { Connection, type ConnectionLimits, type ItemCodec } from '../../src/protocol/connection.js'
import type { ConnectionEvents } from '../../src/protocol/connection-events.js'
import type { Endpoint, OnDone } from '../../src/protocol/endpoint.js'
import { FrameReader, joinPieces } from '../../src/protocol/frame-reader.js'
import { encodeFrame, Kind } from '../../src/protocol/frames.js'
import type { Item } from '../../src/protocol/received-item.js'

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

/** Payloads go as they are, in parts; any other item is encoded. */
export const codec: ItemCodec = {
  encode: (item) => (isParts(item) ? item : encode(item, { protocol: 2 })),
  decode: (payload) => payload,
}

/** Names by number, so that a failing test shows words. */
const kindNames = new Map(Object.entries(Kind).map(([name, kind]) => [kind as number, name]))

export class Pair {
  readonly connection: Connection
  /** All that has happened on the connection so far, but `onOutgoing`. */
  readonly happenings: Happening[] = []
  /** The items that have arrived and were not consumed. */
  readonly items: Item[] = []
  /** How often the connection said that it has something to send. */
  outgoingCalls = 0
  readonly #chunkBytes: number
  readonly #reader: FrameReader
  #frames: Frame[] = []

  constructor({ marker, chunkBytes, ...limits }: PairOptions = {}) {
    this.connection = new Connection(this.#events(), codec, marker, limits)
    this.#chunkBytes = chunkBytes ?? Number.POSITIVE_INFINITY
    this.#reader = new FrameReader((kind, flags, channel, pieces) =>
      this.#frames.push({ kind, flags, channel, payload: joinPieces(pieces) }),
    )
  }

  /** A channel that we open; what arrives on it is a happening. */
  open(): Endpoint {
    return this.#receive(this.connection.open())
  }

  /** The same, by an EXEC. */
  exec(payload: readonly Uint8Array[] = []): Endpoint {
    return this.#receive(this.connection.exec(payload))
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

  #note(name: string, ...args: unknown[]): void {
    this.happenings.push([name, ...args.map((arg) => (arg instanceof Uint8Array ? textOf(arg) : arg))])
  }

  #receive(endpoint: Endpoint): Endpoint {
    endpoint.receiver = {
      isAwaited: false,
      onItem: (item) => {
        this.items.push(item)
        this.#note('item', endpoint.id, item.decode())
        return true
      },
      onEnd: (makeError) => this.#note('end', endpoint.id, ...(makeError === undefined ? [] : [makeError()])),
    }
    return endpoint
  }

  #events(): ConnectionEvents {
    return {
      onHello: (payload) => this.#note('hello', payload),
      onOpen: (endpoint) => this.#note('open', this.#receive(endpoint).id),
      onClose: ({ id }, reason) => this.#note('close', id, reason),
      onOutput: (...args) => this.#note('output', ...args),
      onStatus: (...args) => this.#note('status', ...args),
      onDropped: ({ id }, references) => this.#note('dropped', id, references),
      onOutgoing: () => {
        this.outgoingCalls++
      },
    }
  }
}

function isParts(item: unknown): item is Uint8Array[] {
  return Array.isArray(item) && item.every((part) => part instanceof Uint8Array) && item.length > 0
}

/** What `send` is given to note what becomes of an item that has to wait. */
export function notingIn(outcomes: unknown[]): () => OnDone {
  return () => (dropped) => outcomes.push(dropped)
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
