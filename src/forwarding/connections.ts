/** The connections of one forward that are open. */
import type { Duplex } from 'node:stream'
import { ForwardError } from '../core.js'
import { reset, splice } from './splice.js'

/** Counts them, joins them, reports what breaks, and ends them. */
export class Connections {
  readonly #onError: (error: Error) => void
  readonly #open = new Set<{ end(): void }>()
  #isClosed = false

  constructor(onError: ((error: Error) => void) | undefined) {
    this.#onError = (error) => {
      if (!this.#isClosed) onError?.(error)
    }
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
   * @param onOver - Called when both halves are over.
   */
  async take(
    near: Duplex,
    address: string,
    goOn: (signal: AbortSignal) => Promise<Duplex>,
    onOver: () => void = () => undefined,
  ): Promise<void> {
    const controller = new AbortController()
    const connection = { end: () => this.#end(near, controller) }
    const stop = (): void => controller.abort(new Error('the connection has ended'))
    this.#open.add(connection)
    near.on('error', () => undefined)
    near.once('close', stop)
    const over = (): void => {
      this.#open.delete(connection)
      onOver()
    }
    try {
      const far = await goOn(controller.signal)
      near.off('close', stop)
      far.on('error', () => undefined)
      connection.end = () => [near, far].map((stream) => stream.destroy())
      splice(near, far, (broken) => {
        over()
        if (broken === undefined) return
        const where = broken.stream === far ? address : `who connected to ${address}`
        this.report(forwardError(`the connection of ${where} broke`, address, broken.error))
      })
    } catch (error) {
      reset(near)
      over()
      if (!controller.signal.aborted) this.report(forwardError(`cannot connect to ${address}`, address, error))
    }
  }

  /** Ends them all; nothing is reported any more. */
  close(): void {
    this.#isClosed = true
    for (const connection of this.#open) connection.end()
  }

  #end(near: Duplex, controller: AbortController): void {
    controller.abort(new Error('the forward has been closed'))
    near.destroy()
  }
}

/** An error of a forward, with the system's name for its cause. */
export function forwardError(what: string, address: string, cause: unknown): ForwardError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const suffix = reason === '' || text.includes(reason) ? '' : ` (${reason})`
  return new ForwardError(`${what}: ${text}${suffix}`, { address, reason, cause })
}
