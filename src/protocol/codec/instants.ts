/** Aware datetimes and times as they are on the wire: local fields, and the offset from UTC in microseconds. */

import { LoadError } from '../../errors.js'
import { DateTime, PlainTime } from '../times.js'
import type { Arguments } from './arguments.js'

/** Undefined for an invalid date, and outside of the years 1 to 9999 that Python has. */
export function dumpDate(date: Date): readonly unknown[] | undefined {
  const details = date instanceof DateTime ? date : { microsecond: 0, utcOffset: 0, zone: null, fold: 0 }
  const offset = toMicroseconds(details.utcOffset)
  const beside = details.microsecond + offset
  const local = new Date(date.getTime() + Math.floor(beside / 1000))
  const year = local.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) return undefined
  const microsecond = local.getUTCMilliseconds() * 1000 + modulo(beside, 1000)
  const clock = [local.getUTCHours(), local.getUTCMinutes(), local.getUTCSeconds(), microsecond]
  return [year, local.getUTCMonth() + 1, local.getUTCDate(), ...clock, offset, details.zone, details.fold]
}

/** A plain `Date` where that loses nothing. */
export function loadDate(args: Arguments): Date {
  const local = new Date(0)
  local.setUTCFullYear(args.integer(0), args.integer(1) - 1, args.integer(2))
  local.setUTCHours(args.integer(3), args.integer(4), args.integer(5))
  const offset = args.integer(7)
  const beside = args.integer(6) - offset
  const milliseconds = local.getTime() + Math.floor(beside / 1000)
  const microsecond = modulo(beside, 1000)
  const [zone, fold] = [args.optional(8, args.text), args.fold(9)]
  if (Number.isNaN(milliseconds)) throw new LoadError('cannot load an item: a datetime is out of range')
  const isUtc = offset === 0 && fold === 0 && (zone === null || zone === 'UTC')
  if (isUtc && microsecond === 0) return new Date(milliseconds)
  return new DateTime(milliseconds, { microsecond, utcOffset: offset / 1e6, zone, fold })
}

export function dumpTime(time: PlainTime): readonly unknown[] {
  const offset = time.utcOffset === null ? null : toMicroseconds(time.utcOffset)
  return [time.hour, time.minute, time.second, time.microsecond, offset, time.fold]
}

export function loadTime(args: Arguments): PlainTime {
  const offset = args.optional(4, args.integer)
  return new PlainTime(args.integer(0), args.integer(1), args.integer(2), {
    microsecond: args.integer(3),
    utcOffset: offset === null ? null : offset / 1e6,
    fold: args.fold(5),
  })
}

function toMicroseconds(seconds: number): number {
  return Math.round(seconds * 1e6)
}

/** Never negative, as Python's `%`. */
function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor
}
