/** Remote `logging` and warnings, as they happen. Twin: logs.py. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type BaseGateway, type Channel, codec, messages, Pace, payloadReader } from '../../core.js'
import { runAside } from './aside.js'
import type { Performer } from './performer.js'

/** One record of Python's `logging`, or a warning (logger `py.warnings`). */
export interface LogRecord {
  /** The id of the gateway. */
  readonly gateway: string
  /** Such as `INFO`. */
  readonly level: string
  /** Such as 20. */
  readonly levelNumber: number
  readonly logger: string
  readonly message: string
  /** When it was logged, by the clock over there. */
  readonly time: Date
  readonly file: string
  readonly line: number
  readonly function: string | null
  readonly thread: string | null
  /** The traceback that was logged with it. */
  readonly exception: string | null
  /** What was given as `extra`, a thousand values at most; one that cannot be sent, or is longer than 16 KiB, is its repr. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** What is heard. Records that are not are never made into a message, nor sent. */
export interface LogOptions {
  /** The least level: a name of `logging` or a number; `info` when absent. What the logger's own level holds back is heard all the same. */
  readonly level?: 'debug' | 'info' | 'warning' | 'error' | 'critical' | number
  /** Only what is logged with this logger and those below it, propagated or not; the root when absent, which is all. */
  readonly logger?: string
  /** Whether warnings come too; by default they do when `logger` is absent. */
  readonly warnings?: boolean
}

/** A callback that is being called. */
export interface LogSubscription extends AsyncDisposable {
  /** How many records were dropped, because a thousand waited already. */
  readonly dropped: number
  /**
   * Ends it when the callback has had all that was logged before; what is logged then is the worker's own affair. Called by
   * the callback, it ends it at once.
   *
   * @throws What the callback threw: that has ended it before.
   */
  close(): Promise<void>
}

// A hundred records of the longest kind.
const MOST_BYTES = 16 * 1024 * 1024
// What the extras of a batch may take when they are read.
const MOST_MEMORY = 4 * MOST_BYTES

const levels = { debug: 10, info: 20, warning: 30, error: 40, critical: 50 }

/** Has `callback` called with what is logged on the worker from now on. Resolves when that has begun. */
export async function followLog(
  gateway: BaseGateway,
  performer: Performer,
  callback: (record: LogRecord) => void | Promise<void>,
  { level = 'info', logger = '', warnings = logger === '' }: LogOptions,
): Promise<LogSubscription> {
  const number = typeof level === 'number' ? level : levels[level]
  if (!Number.isInteger(number)) {
    throw new RangeError(
      `level must be one of ${Object.keys(levels).join(', ')}, or a whole number, not ${String(level)}`,
    )
  }
  const channel = runAside(
    gateway,
    performer,
    import.meta.url,
    ['logs', 'follow', () => MOST_BYTES],
    number,
    logger,
    warnings,
  )
  await channel.receive()
  return new Subscription(channel, callback)
}

type Extras<T = unknown> = Readonly<Record<string, T>>

/** The subscription whose callback runs: one that closes itself cannot wait for itself. */
const calling = new AsyncLocalStorage<Subscription>()

class Subscription implements LogSubscription {
  readonly #channel: Channel<unknown, unknown, BaseGateway>
  readonly #callback: (record: LogRecord) => void | Promise<void>
  readonly #pace = new Pace()
  #dropped = 0
  #isBusy = false
  #isClosed = false
  #hasEnded = false
  #onOver: () => void = () => undefined
  readonly #over = new Promise<void>((resolve) => {
    this.#onOver = resolve
  })
  #error: { readonly thrown: unknown } | undefined

  constructor(channel: Channel<unknown, unknown, BaseGateway>, callback: (record: LogRecord) => void | Promise<void>) {
    this.#channel = channel
    this.#callback = callback
    channel.listen({
      onItem: () => void this.#deliver(),
      onEnd: () => {
        this.#hasEnded = true
        void this.#deliver()
      },
    })
  }

  get dropped(): number {
    return this.#dropped
  }

  async close(): Promise<void> {
    if (this.#isBusy && calling.getStore() === this) {
      this.#isClosed = true
      await this.#channel.close()
      return
    }
    this.#channel.sendEnd() // the worker closes the channel behind the last record
    await this.#over.finally(this.#channel.hold())
    if (this.#error !== undefined) throw this.#error.thrown
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A batch at a time, and a record at a time: what waits meanwhile fills the window of the channel, then the queue over there. */
  async #deliver(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (let batch = this.#takeNow(); batch !== undefined; batch = this.#takeNow()) {
        const [dropped, records] = messages.read(messages.log, batch[0]) ?? [0, []]
        this.#dropped += dropped
        const read = this.#reader()
        for (const record of records) {
          if (this.#isClosed) return
          const extra = await read(record.extra)
          const heard = { ...record, extra, gateway: this.#channel.gateway.id, time: new Date(record.time) }
          await calling.run(this, () => this.#callback(heard))
          await this.#breathe()
        }
        await this.#breathe()
      }
    } catch (error) {
      this.#error = { thrown: error }
      this.#isClosed = true
      void this.#channel.close()
    } finally {
      this.#isBusy = false
      if (this.#hasEnded) this.#onOver()
    }
  }

  #takeNow(): readonly [unknown] | undefined {
    this.#pace.begin()
    return this.#channel.takeNow()
  }

  async #breathe(): Promise<void> {
    if (!this.#pace.end()) return
    await this.#pace.break()
    this.#pace.begin()
  }

  /** Reads the extras of one batch, each once, however often it refers to them. A payload for each value: what cannot be read here is its own affair. */
  #reader(): (payloads: Extras<Uint8Array>) => Promise<Extras> {
    const read = payloadReader({ ...codec.UNASKED, maxMemory: MOST_MEMORY })
    const known = new Map<Extras<Uint8Array>, Extras>()
    return async (payloads) => {
      const before = known.get(payloads)
      if (before !== undefined) return before
      const entries: [string, unknown][] = []
      for (const [name, payload] of Object.entries(payloads)) {
        entries.push([name, read(payload)])
        await this.#breathe()
      }
      const extra = Object.fromEntries(entries)
      known.set(payloads, extra)
      return extra
    }
  }
}
