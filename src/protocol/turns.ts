/**
 * Whose turn it is to send (PROTOCOL.md §2): control frames first, then the channels that have something to send, a fragment
 * each, round and round. So nothing waits longer than a fragment of every other channel, however large their items are.
 */
import { Batch, type Scalar } from './batch.js'
import { Flag, FRAGMENT_BYTES, Kind } from './frames.js'
import type { Lane, Outbound } from './lane.js'
import { Outgoing } from './outgoing.js'

// Of an item that is sent without being queued, and of all that may be gathered so, before another channel has its turn.
const SMALL_BYTES = 4096
const AHEAD_BYTES = 512 * 1024

/** The bytes of one connection on their way out. */
export class Turns {
  readonly #control: Uint8Array[] = []
  readonly #ready: Lane[] = []
  readonly #outgoing = new Outgoing()
  // Whose items are in the bytes that have been gathered.
  readonly #gathering: Lane[] = []
  // What is in the bytes that were taken last: it has left when their owner comes for more.
  readonly #taken: Outbound[] = []
  #batch: Batch | undefined
  #hasBegun = false

  addControl(frame: Uint8Array): void {
    this.#sealBatch() // the frame may be the CLOSE of its channel
    this.#control.push(frame)
  }

  /** Gives a lane its turn behind the others, if it has something that may be sent and no turn yet. */
  add(lane: Lane): void {
    if (lane.isReady || !lane.canAdvance) return
    this.#sealBatch()
    lane.isReady = true
    this.#ready.push(lane)
  }

  /** Sends a small item at once, when nothing stands before it; false when it has to be queued. */
  sendNow(lane: Lane, item: Uint8Array): boolean {
    if (item.length > SMALL_BYTES || !this.#mayGather(lane)) return false
    this.#sealBatch()
    this.#gatherControl()
    this.#count(lane)
    lane.countStarted(item.length)
    this.#outgoing.header(Kind.DATA, 0, lane.id, item.length)
    this.#outgoing.append(item)
    return true
  }

  /** Sends a scalar together with those that are sent right before and after it; false when it has to be queued. */
  gather(lane: Lane, item: Scalar): boolean {
    // The worker reads a BATCH with code that the first write brings it.
    if (!this.#hasBegun || !this.#mayGather(lane)) return false
    if (this.#batch?.lane !== lane) {
      this.#sealBatch()
      this.#batch = new Batch(lane)
    }
    this.#batch.add(item)
    this.#count(lane)
    if (this.#batch.isFull) this.#sealBatch()
    return true
  }

  /** Takes bytes to write, until `maxBytes` are reached. What was taken before has been written: its items are done. */
  take(maxBytes: number): Uint8Array[] {
    if (this.#taken.length > 0) for (const outbound of this.#taken.splice(0)) outbound.onDone?.()
    this.#hasBegun = true
    this.#sealBatch()
    this.#gatherControl()
    while (this.#outgoing.bytes < maxBytes) {
      const lane = this.#ready.shift()
      if (lane === undefined) break
      lane.isReady = false
      if (lane.canAdvance) this.#advance(lane)
    }
    for (const lane of this.#gathering) lane.gathered = 0
    this.#gathering.length = 0
    return this.#outgoing.take()
  }

  /** What was taken last may never be written. */
  dropTaken(): void {
    this.#batch = undefined
    for (const outbound of this.#taken.splice(0)) outbound.onDone?.(true)
  }

  #count(lane: Lane): void {
    if (lane.gathered++ === 0) this.#gathering.push(lane)
  }

  #mayGather(lane: Lane): boolean {
    return this.#ready.length === 0 && this.#outgoing.bytes <= AHEAD_BYTES && lane.mayStartNow
  }

  #sealBatch(): void {
    const batch = this.#batch
    if (batch === undefined) return
    this.#batch = undefined
    this.#gatherControl()
    const { kind, payload, size } = batch.encode()
    this.#outgoing.header(kind, 0, batch.lane.id, size)
    for (const part of payload) this.#outgoing.append(part)
  }

  #gatherControl(): void {
    for (const frame of this.#control) this.#outgoing.append(frame)
    if (this.#control.length > 0) this.#control.length = 0
  }

  #advance(lane: Lane): void {
    const outgoing = this.#outgoing
    const done = lane.advance(
      FRAGMENT_BYTES,
      (outbound, length, isLast) =>
        outgoing.header(outbound.kind, outbound.flags | (isLast ? 0 : Flag.MORE), lane.id, length),
      (bytes) => outgoing.append(bytes),
    )
    if (done?.kind === Kind.END) lane.move('sendEnd')
    if (done?.kind === Kind.CLOSE) lane.move('sendClose')
    if (done?.onDone !== undefined) this.#taken.push(done)
    this.add(lane)
  }
}
