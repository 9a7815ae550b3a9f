/** Requests that were timed out or aborted, and that still run: nobody waits for them, but what comes behind them does. */
import { monotonicMs } from '../../core.js'

/** A call that was given up and still runs. */
export interface GivenUpCall {
  /** What it is, such as `call("time.sleep")`. */
  readonly title: string
  /** Milliseconds since it was given up. */
  readonly ms: number
  /** The thread that it runs in; undefined when it is awaited, or has ended meanwhile. */
  readonly thread: string | undefined
}

/** Those of one gateway, oldest first. */
export class GivenUp {
  readonly #calls = new Map<number, { readonly title: string; readonly since: number }>()

  get size(): number {
    return this.#calls.size
  }

  get numbers(): number[] {
    return [...this.#calls.keys()]
  }

  add(number: number, title: string): void {
    this.#calls.set(number, { title, since: monotonicMs() })
  }

  /** It has ended after all. */
  delete(number: number): void {
    this.#calls.delete(number)
  }

  has(number: number): boolean {
    return this.#calls.has(number)
  }

  /** @param threads - Their names, in the order of `numbers`. */
  list(threads: readonly (string | null)[]): GivenUpCall[] {
    return [...this.#calls.values()].map(({ title, since }, index) => ({
      title,
      ms: Math.round(monotonicMs() - since),
      thread: threads[index] ?? undefined,
    }))
  }

  /** Why a call that was sent at a time has not been begun; empty when it is not for one of these. */
  reasonToWait(sentAt: number): string {
    const [first] = this.#calls.values()
    if (first === undefined) return ''
    const now = monotonicMs()
    return `: it waited ${secondsText(now - sentAt)} behind ${first.title}, given up ${secondsText(now - first.since)} ago and still running; killAfter ends its worker, threads=2 lets others pass`
  }
}

function secondsText(ms: number): string {
  return `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1000)} s`
}
