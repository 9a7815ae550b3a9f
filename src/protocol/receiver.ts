/** Who is told what arrives on a channel, and how it ended. */
import type { Item } from './received-item.js'

/** Makes the error that a channel ended with, afresh for everybody who asks: an error shows the stack of who made it. */
export type MakeError = () => Error

/** Who is told what arrives. */
export interface Receiver {
  /** Whether somebody waits for the next item: then it is not counted among what nobody has taken. */
  readonly isAwaited: boolean
  /** Takes an item; false when nobody will use it. */
  onItem(item: Item): boolean
  /**
   * No item will follow.
   *
   * @param makeError - Why, unless it is an ordinary end.
   * @param watch - Called when nobody waits who is told of it now; what it gives is called when somebody is.
   */
  onEnd(makeError?: MakeError, watch?: () => () => void): void
}
