/** What a channel and those around it promise each other. */
import type { ListRead } from '../protocol/codec.js'

/** Who is told at once when items arrive, instead of `receive`. */
export interface ChannelListener {
  /** Whether it takes every item as it comes, now that one does. */
  takesAll?(): boolean
  onItem(): void
  onEnd(): void
}

/** An item that was taken and can be put back. */
export interface Reservation<R> {
  use(): R
  /** As `use`, of an item that is a list: as much of it as can be read. */
  useList(): ListRead
  putBack(): void
}
