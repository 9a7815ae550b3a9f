/**
 * The one clock of the library, and times as users give them. `setTimeout` takes NaN, negatives, `Infinity` and whatever is beyond
 * 24.8 days for 1 ms; no other file may call it. The real functions are kept at the import: programs under test replace
 * them by ones that stand still.
 */

const { setTimeout, clearTimeout, performance } = globalThis

/** Node's own: after what runs now, and after what has come in meanwhile. */
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask
export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate

/** What `setTimeout` can count; a longer timer is set again when that has passed. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Milliseconds of a clock that nobody sets. */
export const monotonicMs: () => number = performance.now.bind(performance)

/** A number where the `setTimeout` of a browser has taken the place of Node's (Electron, jsdom): that keeps no program alive, or always does. */
type Handle = NodeJS.Timeout | number

function keepAlive(timer: Handle | undefined, isWanted: boolean): void {
  if (typeof timer === 'object') timer[isWanted ? 'ref' : 'unref']()
}

/** Rings once, unless it is stopped before. */
export class Timer {
  readonly #ms: number
  readonly #onTimeUp: () => void
  #deadline = 0
  #timer: Handle | undefined
  #isQuiet = false
  readonly #ring = (): void => {
    this.#timer = undefined
    this.#onTimeUp()
  }

  /** @param ms - From now on; `Infinity` never rings, and keeps nothing alive. */
  constructor(ms: number, onTimeUp: () => void) {
    this.#ms = ms
    this.#onTimeUp = onTimeUp
    this.restart()
  }

  /** Counts anew from now on. */
  restart(): void {
    this.stop()
    if (this.#ms === Number.POSITIVE_INFINITY) return
    this.#deadline = monotonicMs() + this.#ms
    this.#run(this.#ms)
  }

  /** @returns Whether it was running. */
  stop(): boolean {
    const wasRunning = this.#timer !== undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    return wasRunning
  }

  /** It does not keep the process alive. */
  unref(): this {
    this.#isQuiet = true
    keepAlive(this.#timer, false)
    return this
  }

  /** It keeps the process alive, as at first. */
  ref(): this {
    this.#isQuiet = false
    keepAlive(this.#timer, true)
    return this
  }

  #run(leftMs: number): void {
    this.#timer =
      leftMs <= MAX_TIMER_MS
        ? setTimeout(this.#ring, leftMs)
        : setTimeout(() => this.#run(Math.max(0, this.#deadline - monotonicMs())), MAX_TIMER_MS)
    if (this.#isQuiet) keepAlive(this.#timer, false)
  }
}

/** Resolves after so long; never for `Infinity`. */
export function sleep(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    new Timer(ms, () => resolve(undefined))
  })
}

/** As {@link sleep}, and keeps no program alive meanwhile. */
export function sleepQuietly(ms: number): Promise<void> {
  return new Promise((resolve) => void new Timer(ms, resolve).unref())
}

/**
 * Checks a time before it is used.
 *
 * @param name - The option that it was given as.
 * @throws RangeError for what is no number of milliseconds: NaN, a negative one, text. `Infinity` is one, and so is an absent one.
 */
export function checkMs(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return
  throw new RangeError(`${name} must be a number of milliseconds, not ${shown(value)}`)
}

/** So that it is seen why text and a bigint are none. */
function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  return typeof value === 'string' || (typeof value === 'object' && value !== null)
    ? JSON.stringify(value)
    : String(value)
}

// Python's own timeouts are counted in nanoseconds of 64 bits, or less: a longer one (3 years) is one without end.
const MAX_PYTHON_MS = 1e11

/** A time for Python, in seconds; None for as long as it takes. */
export function secondsOf(ms: number | undefined): number | null {
  return ms === undefined || ms > MAX_PYTHON_MS ? null : ms / 1000
}
