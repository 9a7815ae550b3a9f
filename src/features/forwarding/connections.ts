/** The connections of one forward that are open. */
import type { Duplex } from 'node:stream'
import { ForwardError, GatewayClosedError } from '../../core.js'
import { reset, splice } from './splice.js'

/** Those of this process. When it ends, what they carry is cut off. */
const live = new Set<Connections>()
process.on('exit', () => {
  for (const connections of live) connections.close()
})

/** Counts them, joins them, reports what breaks, and ends them. */
export class Connections {
  readonly #onError: (error: Error) => void
  readonly #open = new Set<Duplex[]>() // one half while it is on its way, then both
  #isClosed = false

  constructor(onError: ((error: Error) => void) | undefined) {
    this.#onError = (error) => {
      if (!this.#isClosed) onError?.(error)
    }
    live.add(this)
  }

  get size(): number {
    return this.#open.size
  }

  report(error: Error): void {
    this.#onError(error)
  }

  /**
   * Takes a connection and has it go on.
   *
   * @param address - Where it goes on to, for errors.
   * @param goOn - Makes the other half.
   */
  async take(near: Duplex, address: string, goOn: (signal: AbortSignal) => Promise<Duplex>): Promise<void> {
    if (this.#isClosed) return reset(near)
    const controller = new AbortController()
    const connection = [near]
    const stop = (): void => controller.abort(new Error('the connection has ended'))
    this.#open.add(connection)
    near.on('error', () => undefined)
    near.once('close', stop)
    try {
      const far = await goOn(controller.signal)
      near.off('close', stop)
      far.on('error', () => undefined)
      connection.push(far)
      splice(near, far, (broken) => {
        this.#open.delete(connection)
        if (broken === undefined || broken.error instanceof GatewayClosedError) return // the listener tells that, once
        const which = broken.stream === far ? 'to' : 'that goes on to'
        this.report(forwardError(`the connection ${which} ${address} broke`, address, broken.error))
      })
    } catch (error) {
      reset(near)
      this.#open.delete(connection)
      const isTold = controller.signal.aborted || error instanceof GatewayClosedError
      if (!isTold) this.report(forwardError(`cannot connect to ${address}`, address, error))
    }
  }

  /** Ends them all; nothing is reported any more. */
  close(): void {
    this.#isClosed = true
    live.delete(this)
    for (const stream of [...this.#open].flat()) reset(stream)
    this.#open.clear()
  }
}

/** An error of a forward, with the system's name for its cause. */
export function forwardError(what: string, address: string, cause: unknown): ForwardError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const suffix = reason === '' || text.includes(reason) ? '' : ` (${reason})`
  return new ForwardError(`${what}: ${text}${suffix}`, { address, reason, cause })
}
