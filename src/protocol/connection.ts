/**
 * The sans-io state of one gateway link: bytes in, events out; calls in, bytes out (PROTOCOL.md §2 to §5). It knows no
 * clock, no promise and no transport: whoever owns it feeds `receive` and writes what `takeOutgoing` returns.
 * The controller's side; `bootstrap.py` holds the worker's in `Worker`.
 */
import { ProtocolError } from '../errors.js'
import type { Scalar } from './batch.js'
import type { ConnectionEvents } from './connection-events.js'
import { FrameReader, joinPieces } from './frame-reader.js'
import { encodeFrame, encodeUint32, Flag, FRAGMENT_BYTES, Kind, WINDOW_BYTES } from './frames.js'
import { Lane, type LaneLimits, type Outbound } from './lane.js'
import { Turns } from './turns.js'
import { encodeWholeBytes, LENGTH_BYTES } from './whole-bytes.js'

/** Bounds that a connection keeps; each has a default. */
export interface ConnectionLimits {
  /** Bytes of an item that arrives; 2 GiB. */
  readonly maxItemBytes?: number
  /** Channels that are open at the same time; 65,536. */
  readonly maxChannels?: number
}

const MAX_ITEM_BYTES = 2 ** 31
const MAX_CHANNELS = 65_536

/** One link, from the controller's end. */
export class Connection {
  readonly #events: ConnectionEvents
  readonly #reader: FrameReader
  readonly #lanes = new Map<number, Lane>()
  readonly #turns = new Turns()
  readonly #laneLimits: LaneLimits
  readonly #maxChannels: number
  #nextId = 1
  #nextRequest = 1
  #chunk = 0

  constructor(events: ConnectionEvents, marker?: string, limits: ConnectionLimits = {}) {
    this.#events = events
    this.#reader = new FrameReader(
      (kind, flags, channel, pieces) => this.#onFrame(kind, flags, channel, pieces),
      marker,
    )
    this.#laneLimits = { windowBytes: WINDOW_BYTES, maxItemBytes: limits.maxItemBytes ?? MAX_ITEM_BYTES }
    this.#maxChannels = limits.maxChannels ?? MAX_CHANNELS
  }

  /** What arrived before the marker. */
  get noise(): string {
    return this.#reader.noise
  }

  /** How many channels are not over yet. */
  get channelCount(): number {
    return this.#lanes.size
  }

  /**
   * Takes a chunk that arrived.
   *
   * @throws {@link ProtocolError} when the peer breaks a rule: the connection is of no use afterwards.
   */
  receive(chunk: Uint8Array): void {
    this.#chunk++
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
   * Opens a channel for the code in `payload` (PROTOCOL.md §4).
   *
   * @throws RangeError when there are too many channels.
   */
  exec(payload: readonly Uint8Array[]): number {
    const lane = this.#addLane(this.#allocateId())
    this.#sendFragments(Kind.EXEC, lane.id, joinPieces(payload))
    return lane.id
  }

  /**
   * Opens a channel that runs nothing.
   *
   * @throws RangeError when there are too many channels.
   */
  open(): number {
    const lane = this.#addLane(this.#allocateId())
    this.#sendControl(encodeFrame(Kind.OPEN, 0, lane.id))
    return lane.id
  }

  /** How many items of a channel, those sent last, no bytes that were taken have in full. */
  unsent(channel: number): number {
    return this.#lanes.get(channel)?.unsent ?? 0
  }

  /** Sends a small item at once, when nothing stands before it; false when it is to be queued. Most items of a conversation are such. */
  sendNow(channel: number, parts: readonly Uint8Array[]): boolean {
    const lane = this.#lanes.get(channel)
    const [part] = parts
    if (lane === undefined || part === undefined || parts.length > 1 || !this.#turns.sendNow(lane, part)) return false
    this.#events.onOutgoing()
    return true
  }

  /** As `sendNow`, for an item that may be encoded later: those of one turn share a frame. */
  sendScalar(channel: number, item: Scalar): boolean {
    const lane = this.#lanes.get(channel)
    if (lane === undefined || !this.#turns.gather(lane, item)) return false
    this.#events.onOutgoing()
    return true
  }

  /**
   * Queues an item. Its parts are not copied: they must stay as they are until `onDone` is called, which is when they have been
   * written (see `takeOutgoing`), or with true when they never will be, because the channel or the link is over.
   */
  sendItem(
    channel: number,
    parts: readonly Uint8Array[],
    onDone: (dropped?: boolean) => void,
    kind: number = Kind.DATA,
  ): void {
    if (this.#lanes.get(channel)?.maySend) this.#enqueue(channel, kind, 0, parts, onDone)
    else onDone(true)
  }

  /** As `sendItem`, for an item that is bytes alone. */
  sendBytes(channel: number, bytes: Uint8Array, onDone: (dropped?: boolean) => void): void {
    this.sendItem(channel, encodeWholeBytes(bytes), onDone, Kind.BYTES)
  }

  /** Says that no more items will be sent, behind those that were. */
  sendEnd(channel: number): void {
    if (this.#lanes.get(channel)?.maySend) this.#enqueue(channel, Kind.END, 0, [])
  }

  /** Closes a channel, behind the items that were sent on it; `reason` makes it an error for the peer. Twice is no error. */
  close(channel: number, reason?: readonly Uint8Array[]): void {
    if (this.#lanes.get(channel)?.mayClose !== true) return
    this.#enqueue(channel, Kind.CLOSE, reason === undefined ? 0 : Flag.ERROR, reason ?? [])
  }

  /** Gives an item's window back, because it has been used or dropped. */
  consume(channel: number, payloadBytes: number): void {
    const due = this.#lanes.get(channel)?.consume(payloadBytes) ?? 0
    if (due > 0) this.#sendControl(encodeFrame(Kind.CREDIT, 0, channel, encodeUint32(due)))
  }

  /** The link is gone: nothing that waits to be sent ever will be. */
  dropAll(): void {
    this.#turns.dropTaken()
    for (const lane of this.#lanes.values()) lane.drop()
    this.#lanes.clear()
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

  #enqueue(
    channel: number,
    kind: number,
    flags: number,
    parts: readonly Uint8Array[],
    onDone?: Outbound['onDone'],
  ): void {
    const lane = this.#lanes.get(channel)
    if (lane === undefined) return
    lane.enqueue({ kind, flags, parts, size: parts.reduce((sum, part) => sum + part.length, 0), onDone })
    this.#turns.add(lane)
    this.#events.onOutgoing()
  }

  #sendControl(frame: Uint8Array): void {
    this.#turns.addControl(frame)
    this.#events.onOutgoing()
  }

  #sendFragments(kind: number, channel: number, payload: Uint8Array): void {
    let at = 0
    do {
      const part = payload.subarray(at, at + FRAGMENT_BYTES)
      at += part.length
      this.#sendControl(encodeFrame(kind, at < payload.length ? Flag.MORE : 0, channel, part))
    } while (at < payload.length)
  }

  #allocateId(): number {
    if (this.#lanes.size >= this.#maxChannels) {
      throw new RangeError(`cannot open a channel: ${this.#maxChannels} are open, the most that a gateway may have`)
    }
    while (this.#lanes.has(this.#nextId)) this.#nextId = (this.#nextId + 2) >>> 0
    const id = this.#nextId
    this.#nextId = (this.#nextId + 2) >>> 0
    return id
  }

  #addLane(id: number): Lane {
    const lane = new Lane(id, this.#laneLimits)
    this.#lanes.set(id, lane)
    return lane
  }

  #onFrame(kind: number, flags: number, channel: number, pieces: readonly Uint8Array[]): void {
    switch (kind) {
      case Kind.DATA:
        return this.#onData(this.#lane(channel), flags, pieces)
      case Kind.BYTES:
        return this.#onBytes(this.#lane(channel), flags, pieces)
      case Kind.CREDIT:
        return this.#onCredit(this.#lane(channel), joinPieces(pieces))
      case Kind.CLOSE:
        return this.#onClose(this.#lane(channel), flags, pieces)
      case Kind.END:
        return this.#onEnd(this.#lane(channel))
      case Kind.OPEN:
        return this.#onOpen(channel)
      case Kind.OUTPUT:
        return this.#events.onOutput(channel, flags & Flag.STDERR ? 'stderr' : 'stdout', joinPieces(pieces))
      case Kind.STATUS:
        return this.#events.onStatus(channel, joinPieces(pieces))
      case Kind.HELLO:
        return this.#events.onHello(joinPieces(pieces))
      default:
        throw new ProtocolError(`the worker sent a frame of kind ${kind}, which only the controller may send`)
    }
  }

  #lane(channel: number): Lane {
    const lane = this.#lanes.get(channel)
    if (lane === undefined) throw new ProtocolError(`the worker sent a frame for channel ${channel}, which is not open`)
    return lane
  }

  #onData(lane: Lane, flags: number, pieces: readonly Uint8Array[]): void {
    const item = lane.onData(pieces, (flags & Flag.MORE) !== 0, this.#chunk)
    if (item !== undefined) this.#events.onItem(lane.id, item)
  }

  #onBytes(lane: Lane, flags: number, pieces: readonly Uint8Array[]): void {
    const bytes = lane.onBytes(pieces, (flags & Flag.MORE) !== 0)
    if (bytes !== undefined) this.#events.onBytes(lane.id, bytes, LENGTH_BYTES + bytes.length)
  }

  #onCredit(lane: Lane, payload: Uint8Array): void {
    lane.onCredit(new DataView(payload.buffer, payload.byteOffset).getUint32(0))
    this.#turns.add(lane)
    if (lane.isReady) this.#events.onOutgoing()
  }

  #onOpen(channel: number): void {
    if (channel === 0 || channel % 2 === 1 || this.#lanes.has(channel)) {
      throw new ProtocolError(`the worker may not open channel ${channel}`)
    }
    if (this.#lanes.size >= this.#maxChannels) {
      throw new ProtocolError(`the worker opened more than ${this.#maxChannels} channels`)
    }
    this.#addLane(channel)
    this.#events.onOpen(channel)
  }

  #onEnd(lane: Lane): void {
    lane.onEnd()
    if (lane.state !== 'closing') this.#events.onEnd(lane.id)
  }

  #onClose(lane: Lane, flags: number, pieces: readonly Uint8Array[]): void {
    const isAnswer = lane.state === 'closing'
    const reason = lane.onClose(pieces, (flags & Flag.MORE) !== 0)
    if (reason === undefined) return
    this.#lanes.delete(lane.id)
    if (!isAnswer) this.#sendControl(encodeFrame(Kind.CLOSE, 0, lane.id))
    this.#events.onClose(lane.id, (flags & Flag.ERROR) !== 0 ? reason : undefined)
  }
}
