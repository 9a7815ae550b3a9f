/** Items handed to a function as they arrive; see `Channel.setCallback`. */
import type { Item } from '../protocol/received-item.js'
import type { ItemQueue } from './item-queue.js'

/** Gives it every item until the end, one after the other, and then the endmarker, if there is one. Rejects with what it throws. */
export async function deliverTo<R>(
  callback: (item: R) => void | Promise<void>,
  items: ItemQueue<Item>,
  options: { readonly endmarker?: unknown },
): Promise<void> {
  while (true) {
    const item = await items.take()
    if (typeof item === 'symbol') break
    try {
      await callback(item.decode() as R) // the item's type is the caller's claim: nothing checks it
    } finally {
      item.consume()
    }
  }
  if ('endmarker' in options) await callback(options.endmarker as R) // the caller chose a marker that its callback knows
}
