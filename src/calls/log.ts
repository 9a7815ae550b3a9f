/** Remote `logging` and warnings, as they happen. Twin: logs.py. */
import type { ChannelOf, Gateway } from '../core.js'
import type { Performer } from './aborting.js'
import { runAside } from './aside.js'

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
  /** What was given as `extra`; a value that cannot be sent, or is longer than 16 KiB, is its repr. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** What is heard. Records that are not are never made into a message, nor sent. */
export interface LogOptions {
  /** The least level: a name of `logging` or a number; `info` when absent. The logger lets such records through while it is followed. */
  readonly level?: 'debug' | 'info' | 'warning' | 'error' | 'critical' | number
  /** Only what comes to this logger, from those below it too; the root when absent, which is all. */
  readonly logger?: string
  /** Whether warnings come too; by default they do when `logger` is absent. */
  readonly warnings?: boolean
}

/** A callback that is being called. */
export interface LogSubscription extends AsyncDisposable {
  /** How many records were dropped, because a thousand waited already. */
  readonly dropped: number
  /** Ends it. @throws What the callback threw: that has ended it before. */
  close(): Promise<void>
}

const levels = { debug: 10, info: 20, warning: 30, error: 40, critical: 50 }

/** Has `callback` called with what is logged on the worker from now on. Resolves when that has begun. */
export async function followLog(
  gateway: Gateway,
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
  const channel = runAside<Batch | null>(gateway, performer, ['logs', 'follow'], number, logger, warnings)
  await channel.receive()
  return new Subscription(channel, callback)
}

type WireRecord = Omit<LogRecord, 'gateway' | 'time'> & { readonly time: number }
/** How many were dropped before, and records. */
type Batch = readonly [dropped: number, records: readonly WireRecord[]]

class Subscription implements LogSubscription {
  readonly #channel: ChannelOf<Batch | null, unknown, Gateway>
  readonly #callback: (record: LogRecord) => void | Promise<void>
  #dropped = 0
  #isBusy = false
  #isClosed = false
  #error: { readonly thrown: unknown } | undefined

  constructor(
    channel: ChannelOf<Batch | null, unknown, Gateway>,
    callback: (record: LogRecord) => void | Promise<void>,
  ) {
    this.#channel = channel
    this.#callback = callback
    channel.listen({ onItem: () => void this.#deliver(), onEnd: () => undefined })
  }

  get dropped(): number {
    return this.#dropped
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#channel.close()
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
      for (let batch = this.#channel.takeNow(); batch !== undefined; batch = this.#channel.takeNow()) {
        const [dropped, records] = batch[0] ?? [0, []]
        this.#dropped += dropped
        for (const record of records) {
          if (this.#isClosed) return
          await this.#callback({ ...record, gateway: this.#channel.gateway.id, time: new Date(record.time) })
        }
      }
    } catch (error) {
      this.#error = { thrown: error }
      this.#isClosed = true
      void this.#channel.close()
    } finally {
      this.#isBusy = false
    }
  }
}
