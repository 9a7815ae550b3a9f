/** AbortSignals, also those of another realm or of a package such as jsdom. */
import { inspect } from 'node:util'
import { isTagged } from '../protocol/realms.js'
import { queueMicrotask } from '../timer.js'

/** Whether it is one, whosever. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  return value instanceof AbortSignal || (isTagged(value, 'AbortSignal') && 'aborted' in value)
}

/** @throws TypeError for what is given as a signal, and is none. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || isAbortSignal(signal)) return
  throw new TypeError(`signal must be an AbortSignal, such as that of an AbortController, not ${inspect(signal)}`)
}

/** A signal that is aborted when one of these is; `AbortSignal.any` takes none of another realm. */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  return AbortSignal.any(signals.map((signal) => (signal instanceof AbortSignal ? signal : following(signal))))
}

function following(signal: AbortSignal): AbortSignal {
  if (signal.aborted) return AbortSignal.abort(signal.reason)
  const controller = new AbortController()
  addAbortListener(signal, () => controller.abort(signal.reason))
  return controller.signal
}

type AbortListener = () => void

/** Those who wait for a signal, and what tells them. */
interface Audience {
  readonly listeners: Set<AbortListener>
  readonly tell: AbortListener
}

const audiences = new WeakMap<AbortSignal, Audience>()

/**
 * Has a listener called once when a signal is aborted; not when it has been.
 *
 * A signal of the user's may be that of any number of calls, and Node warns of a leak at the eleventh listener: it gets one of ours for all of them.
 */
export function addAbortListener(signal: AbortSignal, listener: AbortListener): void {
  if (signal.aborted) return
  const known = audiences.get(signal)
  if (known !== undefined) return void known.listeners.add(listener)
  const listeners = new Set([listener])
  const tell = (): void => {
    // One may remove another, and none keeps the others from being told.
    for (const each of [...listeners]) if (listeners.has(each)) tellSafely(each)
    audiences.delete(signal)
  }
  audiences.set(signal, { listeners, tell })
  signal.addEventListener('abort', tell, { once: true })
}

function tellSafely(listener: AbortListener): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** Takes a listener back. Idempotent. */
export function removeAbortListener(signal: AbortSignal, listener: AbortListener): void {
  const audience = audiences.get(signal)
  if (audience?.listeners.delete(listener) !== true || audience.listeners.size > 0) return
  audiences.delete(signal)
  signal.removeEventListener('abort', audience.tell)
}
