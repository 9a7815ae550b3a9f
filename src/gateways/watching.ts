/** Functions of the user's that are told what happens, and decide nothing. */
import { queueMicrotask } from '../timer.js'

/** Tells a watcher. What it throws is not the gateway's fault, which goes on: it surfaces where faults of event listeners do. */
export function watch<T>(watcher: ((event: T) => void) | undefined, event: T): void {
  try {
    watcher?.(event)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
