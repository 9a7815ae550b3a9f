/**
 * Python's times that a `Date` cannot hold. An aware datetime is a `Date`: a plain one when it is UTC
 * and has no microseconds, else a `DateTime`, which keeps what a `Date` would lose. The rest has no
 * instant and is plain fields. All return to Python unchanged.
 */
import { brandValues } from './realms.js'

/** What an aware datetime has beside its instant. */
export interface DateTimeDetails {
  /** 0 to 999: the microseconds after the millisecond of the `Date`. */
  readonly microsecond?: number
  /** From UTC to the local time, in seconds; Python allows fractions. */
  readonly utcOffset?: number
  /** The zone's name, such as `Europe/Berlin`; null when Python had only an offset. */
  readonly zone?: string | null
  /** 1 for the second of two equal local times, when clocks go back. */
  readonly fold?: 0 | 1
}

/** An aware Python `datetime`: a `Date` with microseconds and a time zone. */
export class DateTime extends Date {
  /** 0 to 999: the microseconds after the millisecond of the `Date`. */
  readonly microsecond: number
  /** From UTC to the local time, in seconds; Python allows fractions. */
  readonly utcOffset: number
  readonly zone: string | null
  readonly fold: 0 | 1

  constructor(milliseconds: number, details: DateTimeDetails = {}) {
    super(milliseconds)
    this.microsecond = details.microsecond ?? 0
    this.utcOffset = details.utcOffset ?? 0
    this.zone = details.zone ?? null
    this.fold = details.fold ?? 0
  }
}

/** A Python `datetime` without a time zone: what the clock on some wall shows, no instant. */
export class NaiveDateTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  readonly fold: 0 | 1

  constructor(date: PlainDate, time: PlainTime = new PlainTime(0, 0)) {
    this.year = date.year
    this.month = date.month
    this.day = date.day
    this.hour = time.hour
    this.minute = time.minute
    this.second = time.second
    this.microsecond = time.microsecond
    this.fold = time.fold
    Object.freeze(this)
  }

  /** As Python's `isoformat`: `2024-02-29T13:05:00.000250`. */
  toString(): string {
    return `${isoDate(this)}T${isoTime(this)}`
  }
}

/** A Python `date`. */
export class PlainDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number

  constructor(year: number, month: number, day: number) {
    this.year = year
    this.month = month
    this.day = day
    Object.freeze(this)
  }

  toString(): string {
    return isoDate(this)
  }
}

/** What a Python `time` may have beside hours, minutes and seconds. */
export interface PlainTimeDetails {
  /** 0 to 999,999. */
  readonly microsecond?: number
  /** From UTC, in seconds; null when the time has no zone. */
  readonly utcOffset?: number | null
  readonly fold?: 0 | 1
}

/** A Python `time`. */
export class PlainTime {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  readonly utcOffset: number | null
  readonly fold: 0 | 1

  constructor(hour: number, minute: number, second = 0, details: PlainTimeDetails = {}) {
    this.hour = hour
    this.minute = minute
    this.second = second
    this.microsecond = details.microsecond ?? 0
    this.utcOffset = details.utcOffset ?? null
    this.fold = details.fold ?? 0
    Object.freeze(this)
  }

  toString(): string {
    return isoTime(this)
  }
}

/** A Python `timedelta`: days, seconds and microseconds, of which only the days may be negative. */
export class TimeDelta {
  readonly days: number
  readonly seconds: number
  readonly microseconds: number

  constructor(days: number, seconds = 0, microseconds = 0) {
    this.days = days
    this.seconds = seconds
    this.microseconds = microseconds
    Object.freeze(this)
  }

  /** The whole span; microseconds are its fraction. */
  get totalMilliseconds(): number {
    return this.days * 86_400_000 + this.seconds * 1000 + this.microseconds / 1000
  }

  toString(): string {
    return `TimeDelta(${this.days}, ${this.seconds}, ${this.microseconds})`
  }
}

function isoDate(date: { readonly year: number; readonly month: number; readonly day: number }): string {
  return `${pad(date.year, 4)}-${pad(date.month, 2)}-${pad(date.day, 2)}`
}

function isoTime(time: Pick<PlainTime, 'hour' | 'minute' | 'second' | 'microsecond'>): string {
  const fraction = time.microsecond === 0 ? '' : `.${pad(time.microsecond, 6)}`
  return `${pad(time.hour, 2)}:${pad(time.minute, 2)}:${pad(time.second, 2)}${fraction}`
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0')
}

brandValues({ DateTime, NaiveDateTime, PlainDate, PlainTime, TimeDelta })
