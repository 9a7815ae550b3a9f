/**
 * Items of one channel that have been sent and not been taken yet. Those of one turn share a promise for each 64 KiB: a program
 * that does not wait may send a million of them, and a promise with all that hangs on it is many times such an item.
 */
import type { OnDone } from '../protocol/endpoint.js'
import { queueMicrotask } from '../timer.js'
import { type Settled, settled } from './settled.js'

const SHARED_BYTES = 64 * 1024

/** One channel's. */
export class Sends {
  #shared: Shared | undefined
  #taken: Promise<boolean> = Promise.resolve(true)

  /** Whether the item that has begun to wait last was taken, with all that share its promise, and none was dropped. */
  get taken(): Promise<boolean> {
    return this.#taken
  }

  /** An item of so many bytes has to wait; gives what is to be called when it has been taken. */
  readonly wait = (bytes: number): OnDone => {
    const shared = this.#shared ?? this.#share()
    this.#taken = shared.promise
    if (!shared.add(bytes)) this.#shared = undefined
    return shared.onDone
  }

  #share(): Shared {
    const stop = (): void => {
      if (this.#shared === shared) this.#shared = undefined
    }
    const shared = new Shared(stop)
    this.#shared = shared
    queueMicrotask(stop)
    return shared
  }
}

/** Items that are waited for together. */
class Shared {
  readonly #settled: Settled<boolean> = settled()
  readonly #onOver: () => void
  #waiting = 0
  #bytes = 0
  #wasDropped = false

  constructor(onOver: () => void) {
    this.#onOver = onOver
  }

  get promise(): Promise<boolean> {
    return this.#settled.promise
  }

  /** Counts one more; false when that was the last to share. */
  add(bytes: number): boolean {
    this.#waiting++
    this.#bytes += bytes
    return this.#bytes < SHARED_BYTES
  }

  /** For each of them. */
  readonly onDone = (dropped?: boolean): void => {
    if (dropped === true) this.#wasDropped = true
    if (--this.#waiting > 0) return
    this.#onOver()
    this.#settled.settle(!this.#wasDropped)
  }
}
