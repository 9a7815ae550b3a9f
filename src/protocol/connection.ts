/**
 * The sans-io state of one gateway link: bytes in, events out; calls in, bytes out (PROTOCOL.md §2 to §5). It knows no clock, no
 * promise and no transport: whoever owns it feeds `receive` and writes what `takeOutgoing` returns. `bootstrap.py` holds the worker's side.
 */
import { ProtocolError } from '../errors.js'
import { isScalar } from './batch.js'
import type { ConnectionEvents } from './connection-events.js'
import { Endpoint, type EndpointLink } from './endpoint.js'
import { FrameReader, joinPieces, sizeOf } from './frame-reader.js'
import { decodeUint32, encodeFrame, encodeUint32, Flag, FRAGMENT_BYTES, Kind } from './frames.js'
import { Held } from './held.js'
import type { MakeError } from './receiver.js'
import { MAX_ITEM_BYTES } from './too-long.js'
import { Turns } from './turns.js'

// Control frames of ours that wait for a worker that does not read: a worker that is well reads them as they come.
const MAX_UNREAD = 200_000

/** Bounds that a connection keeps; each has a default. */
export interface ConnectionLimits {
  /** Bytes of an item that arrives; 1 GiB. One that has more is let go, and told as such. */
  readonly maxItemBytes?: number
  /** Channels that are open at the same time; 65,536. */
  readonly maxChannels?: number
  /** Bytes that nobody has taken; unlimited. */
  readonly maxHeldBytes?: number
}

/** How items are encoded, and decoded when somebody takes them. */
export type ItemCodec = Pick<EndpointLink, 'encode' | 'decode'>

/** One link, from the controller's end. */
export class Connection {
  /** What has arrived and nobody has taken. */
  readonly held: Held
  readonly #events: ConnectionEvents
  readonly #reader: FrameReader
  readonly #endpoints = new Map<number, Endpoint>()
  readonly #turns = new Turns()
  readonly #link: EndpointLink
  readonly #maxChannels: number
  #nextId = 1
  #nextRequest = 1
  #awaitsHello: boolean

  constructor(events: ConnectionEvents, codec: ItemCodec, marker?: string, limits: ConnectionLimits = {}) {
    this.#events = events
    this.#reader = new FrameReader(
      (kind, flags, channel, pieces) => this.#onFrame(kind, flags, channel, pieces),
      marker,
    )
    this.#maxChannels = limits.maxChannels ?? 65_536
    this.held = new Held(limits.maxHeldBytes ?? Number.POSITIVE_INFINITY)
    this.#awaitsHello = marker !== undefined
    this.#link = this.#makeLink(codec, limits.maxItemBytes ?? MAX_ITEM_BYTES)
  }

  /** What arrived before the marker. */
  get noise(): string {
    return this.#reader.noise
  }

  /** Bytes that an item may have. */
  get maxItemBytes(): number {
    return this.#link.maxItemBytes
  }

  /** How many channels are not over yet. */
  get channelCount(): number {
    return this.#endpoints.size
  }

  /**
   * Takes a chunk that arrived.
   *
   * @throws {@link ProtocolError} when the peer breaks a rule: the connection is of no use afterwards.
   */
  receive(chunk: Uint8Array): void {
    this.#reader.push(chunk)
  }

  /** Says how the worker is to be set up; its first frame. */
  sendSetup(payload: readonly Uint8Array[]): void {
    this.#sendControl(encodeFrame(Kind.SETUP, 0, 0, joinPieces(payload)))
  }

  /** Ships Python sources, ahead of whatever is sent next. */
  sendPush(payload: Uint8Array): void {
    this.#sendFragments(Kind.PUSH, 0, payload)
  }

  /**
   * Opens a channel for the code in `payload` (PROTOCOL.md §4), by an EXEC or, for a task of tendril's own, an ASIDE.
   * @throws RangeError when there are too many channels.
   */
  exec(payload: readonly Uint8Array[], kind: typeof Kind.EXEC | typeof Kind.ASIDE = Kind.EXEC): Endpoint {
    const endpoint = this.#add(this.#allocateId())
    this.#sendFragments(kind, endpoint.id, joinPieces(payload))
    return endpoint
  }

  /**
   * Opens a channel that runs nothing.
   *
   * @throws RangeError when there are too many channels.
   */
  open(): Endpoint {
    const endpoint = this.#add(this.#allocateId())
    this.#sendControl(encodeFrame(Kind.OPEN, 0, endpoint.id))
    return endpoint
  }

  /** The endpoint of a channel that is not over yet. */
  endpoint(id: number): Endpoint | undefined {
    return this.#endpoints.get(id)
  }

  /** An endpoint of a channel that is over, for whoever comes upon a reference to it. */
  goneEndpoint(id: number): Endpoint {
    const endpoint = new Endpoint(id, this.#link)
    endpoint.lose()
    return endpoint
  }

  /** The link is gone: nothing that waits to be sent ever will be, and no item will follow. */
  lose(makeError: MakeError): void {
    const endpoints = [...this.#endpoints.values()]
    this.#endpoints.clear()
    this.#turns.dropTaken()
    for (const endpoint of endpoints) endpoint.lose()
    for (const { receiver } of endpoints) receiver?.onEnd(makeError) // who may ask what was left unsent
    for (const endpoint of endpoints) endpoint.drop()
  }

  /** Asks for the worker's status; returns the number that the answer will carry. */
  requestStatus(): number {
    const request = this.#nextRequest++
    this.#sendControl(encodeFrame(Kind.STATUS, 0, request))
    return request
  }

  /** Asks the worker to leave within so many milliseconds. */
  sendTerminate(graceMs: number): void {
    this.#sendControl(encodeFrame(Kind.TERMINATE, 0, 0, encodeUint32(Math.min(graceMs, 2 ** 32 - 1))))
  }

  /**
   * Takes bytes to write: control frames first, then a fragment of each channel in turn, until `maxBytes` are reached.
   * Empty when nothing may be sent now. Call it again when what it returned has been written: then the items in it are done.
   */
  takeOutgoing(maxBytes: number): Uint8Array[] {
    return this.#turns.take(maxBytes)
  }

  #sendControl(frame: Uint8Array): void {
    this.#turns.addControl(frame)
    this.#events.onOutgoing()
  }

  #sendFragments(kind: number, channel: number, payload: Uint8Array): void {
    if (payload.length > FRAGMENT_BYTES) this.#events.onLongFrame?.()
    for (let at = 0; at === 0 || at < payload.length; at += FRAGMENT_BYTES) {
      const flags = at + FRAGMENT_BYTES < payload.length ? Flag.MORE : 0
      this.#sendControl(encodeFrame(kind, flags, channel, payload.subarray(at, at + FRAGMENT_BYTES)))
    }
  }

  #allocateId(): number {
    if (this.#endpoints.size >= this.#maxChannels) {
      throw new RangeError(`cannot open a channel: ${this.#maxChannels} are open, the most that a gateway may have`)
    }
    while (this.#endpoints.has(this.#nextId)) this.#nextId = (this.#nextId + 2) >>> 0
    const id = this.#nextId
    this.#nextId = (this.#nextId + 2) >>> 0
    return id
  }

  #add(id: number): Endpoint {
    const endpoint = new Endpoint(id, this.#link)
    this.#endpoints.set(id, endpoint)
    return endpoint
  }

  #makeLink(codec: ItemCodec, maxItemBytes: number): EndpointLink {
    const events = this.#events
    const turns = this.#turns
    return {
      held: this.held,
      maxItemBytes,
      encode: (item) => codec.encode(item),
      decode: (payload, endpoint) => codec.decode(payload, endpoint),
      gather: (endpoint, item) => {
        if (!isScalar(item) || !turns.gather(endpoint, item)) return false
        events.onOutgoing()
        return true
      },
      sendNow: (endpoint, parts) => {
        const [part] = parts
        if (part === undefined || parts.length > 1 || !turns.sendNow(endpoint, part)) return false
        events.onOutgoing()
        return true
      },
      queue: (endpoint) => {
        turns.add(endpoint)
        events.onOutgoing()
      },
      sendCredit: ({ id }, bytes) => this.#sendControl(encodeFrame(Kind.CREDIT, 0, id, encodeUint32(bytes))),
    }
  }

  #onFrame(kind: number, flags: number, channel: number, pieces: readonly Uint8Array[]): void {
    if (this.#awaitsHello) {
      if (kind !== Kind.HELLO) throw new ProtocolError(`the worker's first frame is of kind ${kind}, and no hello`)
      this.#awaitsHello = false
    }
    switch (kind) {
      case Kind.DATA:
        return this.#count(this.#at(channel).onData(pieces, flags))
      case Kind.BYTES:
        return this.#count(this.#at(channel).onBytes(pieces, flags))
      case Kind.CREDIT:
        return this.#onCredit(this.#at(channel), joinPieces(pieces))
      case Kind.CLOSE:
        return this.#onClose(this.#at(channel), flags, pieces)
      case Kind.END:
        return this.#at(channel).onEnd()
      case Kind.OPEN:
        return this.#onOpen(channel)
      case Kind.DROPPED:
        return this.#onDropped(channel, joinPieces(pieces))
      case Kind.OUTPUT:
        return this.#onOutput(channel, flags, joinPieces(pieces))
      case Kind.STATUS:
        return this.#events.onStatus(channel, joinPieces(pieces))
      case Kind.HELLO:
        return this.#events.onHello(joinPieces(pieces))
      default:
        throw new ProtocolError(`the worker sent a frame of kind ${kind}, which only the controller may send`)
    }
  }

  #onOutput(channel: number, flags: number, text: Uint8Array): void {
    if (text.length > FRAGMENT_BYTES) throw new ProtocolError(`the worker sent ${text.length} bytes of output at once`)
    this.#events.onOutput(channel, (flags & Flag.STDERR) === 0 ? 'stdout' : 'stderr', text)
  }

  #at(channel: number): Endpoint {
    const endpoint = this.#endpoints.get(channel)
    if (endpoint === undefined) {
      throw new ProtocolError(`the worker sent a frame for channel ${channel}, which is not open`)
    }
    return endpoint
  }

  /** @param bytes - What came of something that is not complete. */
  #count(bytes: number): void {
    this.held.arrive(bytes, this.#partials)
  }

  readonly #partials = (): Iterable<Endpoint> => this.#endpoints.values()

  #onCredit(endpoint: Endpoint, payload: Uint8Array): void {
    endpoint.onCredit(decodeUint32(payload))
    this.#turns.add(endpoint)
    if (endpoint.isReady) this.#events.onOutgoing()
  }

  #onDropped(channel: number, payload: Uint8Array): void {
    const references = decodeUint32(payload)
    const endpoint = this.#endpoints.get(channel)
    if (endpoint !== undefined) this.#events.onDropped(endpoint, references)
  }

  #onOpen(channel: number): void {
    if (channel === 0 || channel % 2 === 1 || this.#endpoints.has(channel)) {
      throw new ProtocolError(`the worker may not open channel ${channel}`)
    }
    if (this.#endpoints.size >= this.#maxChannels) {
      throw new ProtocolError(`the worker opened more than ${this.#maxChannels} channels`)
    }
    this.#events.onOpen(this.#add(channel))
  }

  #answerClose(channel: number): void {
    if (this.#turns.controlCount >= MAX_UNREAD)
      throw new ProtocolError(`the worker closes channels and does not read: ${MAX_UNREAD} answers wait`)
    this.#sendControl(encodeFrame(Kind.CLOSE, 0, channel))
  }

  #onClose(endpoint: Endpoint, flags: number, pieces: readonly Uint8Array[]): void {
    const isAnswer = endpoint.state === 'closing'
    const reason = endpoint.onClose(pieces, flags)
    if (reason === undefined) return this.#count(sizeOf(pieces))
    this.#endpoints.delete(endpoint.id)
    if (!isAnswer) this.#answerClose(endpoint.id)
    this.#events.onClose(endpoint, (flags & Flag.ERROR) !== 0 ? reason : undefined, (flags & Flag.GIVEN) !== 0)
    this.#count(0)
  }
}
