/**
 * Items that wait for someone, and people who wait for items: oldest first on both sides, and an end that stays.
 * Nothing is thrown here but an abort: whoever takes builds the error, so that its stack shows the caller.
 */
import { checkMs, Timer } from '../timer.js'
import { addAbortListener, checkSignal, removeAbortListener } from './signals.js'

/** What a take comes to when it is no item. */
export const ENDED: unique symbol = Symbol('ended')
/** What a take comes to when the time is up. */
export const TIMED_OUT: unique symbol = Symbol('timed out')

/** How long to wait: every wait of the library takes these. */
export interface WaitOptions {
  /** Milliseconds; unlimited when absent. */
  readonly timeout?: number | undefined
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

interface Waiter<T> {
  settle(outcome: T | typeof ENDED | typeof TIMED_OUT): void
}

// A queue that is never empty has to get rid of its holes: when they are half of it, so that a copy costs little for each.
const MIN_HOLES = 1024

/** An unbounded queue with an end. What bounds it is the window of the channel that fills it. */
export class ItemQueue<T> {
  #items: T[] = []
  #head = 0
  /** There is none before anybody waits: most queues of channels that a worker opens see nobody. */
  #waiters: Set<Waiter<T>> | undefined
  /** Stands before the oldest of them: an iterator of its own for each would pass all that were deleted. */
  #oldest: IterableIterator<Waiter<T>> | undefined
  #isEnded = false

  get length(): number {
    return this.#items.length - this.#head
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Whether somebody waits for an item, or for the end. */
  get isAwaited(): boolean {
    return (this.#waiters?.size ?? 0) > 0
  }

  get oldest(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    const waiter = this.#nextWaiter()
    if (waiter !== undefined) waiter.settle(item)
    else if (this.#items.length === 0)
      this.#items = [item] // `push` would make room for 17
    else this.#items.push(item)
  }

  /** No item will follow: everybody who waits, and will wait when the items are used up, gets ENDED. */
  end(): void {
    this.#isEnded = true
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) waiter.settle(ENDED)
  }

  /** Takes the oldest item without waiting; undefined when there is none now. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined as T // a hole that is never read again: it lets go of the item
    if (this.#head === this.#items.length || (this.#head >= MIN_HOLES && this.#head * 2 >= this.#items.length)) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Puts back an item that was taken: it is the next to be taken again. */
  unshift(item: T): void {
    const waiter = this.#nextWaiter()
    if (waiter !== undefined) waiter.settle(item)
    else this.#items.splice(this.#head, 0, item)
  }

  /** Takes all items that are left. */
  drain(): T[] {
    const items = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return items
  }

  /** Takes the oldest item, or waits for one. Rejects only with the reason of an abort. */
  take(options: WaitOptions = {}): Promise<T | typeof ENDED | typeof TIMED_OUT> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason)
    const item = this.shift()
    if (item !== undefined) return Promise.resolve(item)
    if (this.#isEnded) return Promise.resolve(ENDED)
    return this.#wait(options)
  }

  #wait({ timeout, signal }: WaitOptions): Promise<T | typeof ENDED | typeof TIMED_OUT> {
    return new Promise((resolve, reject) => {
      this.#waiters ??= new Set()
      const waiters = this.#waiters
      if (timeout === undefined && signal === undefined) {
        waiters.add({ settle: resolve })
        return
      }
      const finish = (): void => {
        timer?.stop()
        if (signal !== undefined) removeAbortListener(signal, onAbort)
        waiters.delete(waiter)
      }
      const waiter: Waiter<T> = {
        settle: (outcome) => {
          finish()
          resolve(outcome)
        },
      }
      const onAbort = (): void => {
        finish()
        reject(signal?.reason)
      }
      const timer = timeout === undefined ? undefined : new Timer(timeout, () => waiter.settle(TIMED_OUT))
      if (signal !== undefined) addAbortListener(signal, onAbort)
      waiters.add(waiter)
    })
  }

  #nextWaiter(): Waiter<T> | undefined {
    if (this.#waiters === undefined || this.#waiters.size === 0) return undefined
    this.#oldest ??= this.#waiters.values()
    const { value: waiter } = this.#oldest.next() // never at its end, which it comes to only where nobody waits
    this.#waiters.delete(waiter)
    return waiter
  }
}

/** @throws RangeError for a timeout that is no time; TypeError for a signal that is none. */
export function checkWait({ timeout, signal }: WaitOptions): void {
  checkMs('timeout', timeout)
  checkSignal(signal)
}
