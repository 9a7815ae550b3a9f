/** What a connection tells its owner: frames as happenings, once their rules have been checked. */

/** What happens on a connection. Each is called while `receive` runs, in the order of the stream. */
export interface ConnectionEvents {
  onHello(payload: Uint8Array): void
  /** The peer opened a channel. */
  onOpen(channel: number): void
  /** An item is complete; call `consume` with its size once it has been used. */
  onItem(channel: number, payload: Uint8Array): void
  /** As `onItem`, for an item that is bytes alone: they are the item, not its payload. */
  onBytes(channel: number, bytes: Uint8Array, payloadBytes: number): void
  /** The peer sends no more items, but still receives. */
  onEnd(channel: number): void
  /** The channel is over; `reason` is the encoded value of a CLOSE with ERROR. */
  onClose(channel: number, reason: Uint8Array | undefined): void
  onOutput(channel: number, stream: 'stdout' | 'stderr', text: Uint8Array): void
  onStatus(request: number, payload: Uint8Array): void
  /** There is something to take that was not there before. */
  onOutgoing(): void
}
