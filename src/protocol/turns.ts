/**
 * Whose turn it is to send (PROTOCOL.md §2): control frames first, then the channels that have something to send, a fragment
 * each, round and round. So nothing waits longer than a fragment of every other channel, however large their items are.
 */
import { Batch, type Scalar } from './batch.js'
import type { Endpoint } from './endpoint.js'
import { Flag, FRAGMENT_BYTES, Kind } from './frames.js'
import type { Outbound } from './outbox.js'
import { Outgoing } from './outgoing.js'
import { itemCost } from './window.js'

// Of an item that is sent without being queued, and of all that may be gathered so, before another channel has its turn.
const SMALL_BYTES = 4096
const AHEAD_BYTES = 512 * 1024

/** The bytes of one connection on their way out. */
export class Turns {
  readonly #control: Uint8Array[] = []
  readonly #ready: Endpoint[] = []
  readonly #outgoing = new Outgoing()
  // Whose items are in the bytes that have been gathered.
  readonly #gathering: Endpoint[] = []
  // What is in the bytes that were taken last: it has left when their owner comes for more.
  readonly #taken: Outbound[] = []
  #batch: Batch | undefined
  #hasBegun = false

  /** How many control frames wait to be taken. */
  get controlCount(): number {
    return this.#control.length
  }

  addControl(frame: Uint8Array): void {
    this.#sealBatch() // the frame may be the CLOSE of its channel
    this.#control.push(frame)
  }

  /** Gives an endpoint its turn behind the others, if it has something that may be sent and no turn yet. */
  add(endpoint: Endpoint): void {
    if (endpoint.isReady || !endpoint.canAdvance) return
    this.#sealBatch()
    endpoint.isReady = true
    this.#ready.push(endpoint)
  }

  /** Sends a small item at once, when nothing stands before it; false when it has to be queued. */
  sendNow(endpoint: Endpoint, item: Uint8Array): boolean {
    if (item.length > SMALL_BYTES || !this.#mayGather(endpoint)) return false
    this.#sealBatch()
    this.#gatherControl()
    this.#count(endpoint)
    endpoint.countSent(itemCost(item.length))
    this.#outgoing.header(Kind.DATA, 0, endpoint.id, item.length)
    this.#outgoing.append(item)
    return true
  }

  /** Sends a scalar together with those that are sent right before and after it; false when it has to be queued. */
  gather(endpoint: Endpoint, item: Scalar): boolean {
    // The worker reads a BATCH with code that the first write brings it.
    if (!this.#hasBegun || !this.#mayGather(endpoint)) return false
    if (this.#batch?.endpoint !== endpoint) {
      this.#sealBatch()
      this.#batch = new Batch(endpoint)
    }
    this.#batch.add(item)
    this.#count(endpoint)
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
      const endpoint = this.#ready.shift()
      if (endpoint === undefined) break
      endpoint.isReady = false
      if (endpoint.canAdvance) this.#advance(endpoint)
    }
    for (const endpoint of this.#gathering) endpoint.gathered = 0
    this.#gathering.length = 0
    return this.#outgoing.take()
  }

  /** What was taken last may never be written. */
  dropTaken(): void {
    this.#batch = undefined
    for (const outbound of this.#taken.splice(0)) outbound.onDone?.(true)
  }

  #count(endpoint: Endpoint): void {
    if (endpoint.gathered++ === 0) this.#gathering.push(endpoint)
  }

  #mayGather(endpoint: Endpoint): boolean {
    return this.#ready.length === 0 && this.#outgoing.bytes <= AHEAD_BYTES && endpoint.mayStartNow
  }

  #sealBatch(): void {
    const batch = this.#batch
    if (batch === undefined) return
    this.#batch = undefined
    this.#gatherControl()
    const { kind, payload, size } = batch.encode()
    this.#outgoing.header(kind, 0, batch.endpoint.id, size)
    for (const part of payload) this.#outgoing.append(part)
  }

  #gatherControl(): void {
    for (const frame of this.#control) this.#outgoing.append(frame)
    if (this.#control.length > 0) this.#control.length = 0
  }

  #advance(endpoint: Endpoint): void {
    const outgoing = this.#outgoing
    const done = endpoint.advance(
      FRAGMENT_BYTES,
      (outbound, length, isLast) =>
        outgoing.header(outbound.kind, outbound.flags | (isLast ? 0 : Flag.MORE), endpoint.id, length),
      (bytes) => outgoing.append(bytes),
    )
    if (done?.onDone !== undefined) this.#taken.push(done)
    this.add(endpoint)
  }
}
