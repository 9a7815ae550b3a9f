/** What a connection tells its owner: frames that have passed the rules, as events. What arrives on a channel is told to the receiver of its endpoint. */
import type { Endpoint } from './endpoint.js'
import type { TooLong } from './too-long.js'

/** What happens on a connection. Each is called while `receive` runs, in the order of the stream. */
export interface ConnectionEvents {
  onHello(payload: Uint8Array): void
  /** The peer opened a channel. */
  onOpen(endpoint: Endpoint): void
  /** A channel is over; `reason` is the encoded value of a CLOSE with ERROR. `isGiven`: an item refers to it, which may not have been read. */
  onClose(endpoint: Endpoint, reason: Uint8Array | TooLong | undefined, isGiven: boolean): void
  /** No code of the peer's holds a channel any more, of so many references that it has read. */
  onDropped(endpoint: Endpoint, references: number): void
  onOutput(channel: number, stream: 'stdout' | 'stderr', text: Uint8Array): void
  onStatus(request: number, payload: Uint8Array): void
  /** What is about to be sent goes in fragments, as no item: the worker needs its late extras to gather it (PROTOCOL.md §7). */
  onLongFrame?(): void
  /** There is something to take that was not there before. */
  onOutgoing(): void
}
