/** What a channel and those around it promise each other: the gateway underneath, and whoever takes items for somebody else. */

/** An item that has arrived and has not been used: decoded only when it is, and then its window is given back. */
export interface Arrival {
  decode(): unknown
  consume(): void
}

/** What a channel asks of the gateway underneath. */
export interface ChannelLink<G> {
  readonly gateway: G
  /** Queues an item; true when it has been taken, at once or later, false when the channel closed before. */
  send(item: unknown): true | Promise<boolean>
  sendEnd(): void
  /** How many items, those sent last, the transport has not been given in full. */
  unsent(): number
  close(reason: string | undefined): void
  /** Keeps the process alive while somebody waits; the function returned lets go. */
  hold(): () => void
}

/** Makes the error that a channel ended with, afresh for everybody who asks: an error shows the stack of who made it. */
export type MakeError = () => Error

/** Who is told at once when items arrive, instead of `receive`. */
export interface ChannelListener {
  onItem(): void
  onEnd(): void
}

/** An item that was taken and can be put back. */
export interface Reservation<R> {
  use(): R
  putBack(): void
}
