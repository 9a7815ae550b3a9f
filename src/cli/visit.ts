/** What the doctor finds out about one gateway, as lines for people and as JSON for programs. */
import type { Gateway, GatewayInfo, PhaseEvent, XSpec } from '../index.js'
import { isConnectFailure } from './exit-codes.js'

/** One phase of the way, and how long it took. */
interface Step {
  readonly phase: string
  readonly detail: string | undefined
  readonly ms: number
}

/** One gateway's. */
export class Visit {
  readonly spec: XSpec
  readonly #steps: Step[] = []
  readonly #lines: string[] = []
  #begun: PhaseEvent | undefined
  #elapsedMs = 0
  #info: GatewayInfo | undefined
  #roundTripMs: number | undefined
  #error: Error | undefined
  #print: (line: string) => void = (line) => this.#lines.push(line)
  #showStatus: (status: string) => void = () => undefined

  constructor(spec: XSpec) {
    this.spec = spec
  }

  /** Why the gateway does not work; undefined when it does. */
  get error(): Error | undefined {
    return this.#error
  }

  /**
   * Opens the gateway, and asks it what it is. It stays open: others may be behind it.
   *
   * @throws What is wrong with the spec, at once; how the gateway fails is in `error`.
   */
  make(launch: (spec: XSpec) => Gateway): Promise<void> {
    try {
      return this.#examine(launch(this.spec))
    } catch (error) {
      if (!isConnectFailure(error)) throw error
      this.#error = error
      this.#tellFailure(error)
      return Promise.resolve()
    }
  }

  /** Tells all that is known, and from now on what comes, a line each; and what is waited for. */
  show(print: (line: string) => void, showStatus: (status: string) => void): void {
    print(`${this.spec.id} (${this.spec.shown})`)
    for (const line of this.#lines) print(line)
    this.#print = print
    this.#showStatus = showStatus
    if (this.#begun !== undefined) this.#showWaiting(this.#begun)
  }

  /** A phase is told when it has ended: then its time is known, and all that is to be known of what it deals with. */
  onPhase(event: PhaseEvent): void {
    if (event.phase === this.#begun?.phase && event.error === undefined) {
      this.#begun = { ...event, elapsedMs: this.#begun.elapsedMs }
      this.#showWaiting(this.#begun)
      return
    }
    if (this.#begun !== undefined) this.#addStep(this.#begun, event.elapsedMs - this.#begun.elapsedMs)
    this.#elapsedMs = event.elapsedMs
    this.#begun = event.error === undefined && event.phase !== 'ready' ? event : undefined
    if (event.error === undefined && event.phase === 'ready') this.#print(row('ready', event.elapsedMs, event.detail))
    if (this.#begun !== undefined) this.#showWaiting(this.#begun)
  }

  toJSON(): Record<string, unknown> {
    return {
      id: this.spec.id,
      spec: this.spec,
      ok: this.#error === undefined,
      elapsedMs: this.#elapsedMs,
      phases: this.#steps,
      info: this.#info,
      roundTripMs: this.#roundTripMs,
      error: this.#error && fieldsOf(this.#error),
    }
  }

  async #examine(gateway: Gateway): Promise<void> {
    try {
      await gateway.ready
      this.#info = await gateway.info()
      const began = performance.now()
      await gateway.remoteStatus()
      this.#roundTripMs = performance.now() - began
      this.#print(row('round trip', this.#roundTripMs, undefined))
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error))
      this.#tellFailure(this.#error)
    }
  }

  #addStep({ phase, detail }: PhaseEvent, ms: number): void {
    this.#steps.push({ phase, detail, ms })
    this.#print(row(phase, ms, detail))
  }

  #tellFailure(error: Error): void {
    const where = isConnectFailure(error) ? ` in phase ${error.phase}` : ''
    // The line above the table has said which gateway this is.
    const prefix = `gateway ${this.spec.id} (${this.spec.shown}): `
    this.#print(
      `  failed${where}: ${error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message}`,
    )
  }

  #showWaiting({ gateway, phase, detail }: PhaseEvent): void {
    this.#showStatus(`  ${phase} ${detail ?? gateway} …`)
  }
}

function fieldsOf(error: Error): Record<string, unknown> {
  return { name: error.name, message: error.message, ...Object.fromEntries(Object.entries(error)) }
}

/** Times are told to a tenth of a millisecond below ten: round trips are that short. */
function row(phase: string, ms: number, detail: string | undefined): string {
  const time = ms < 10 ? ms.toFixed(1) : ms.toFixed(0)
  return `  ${phase.padEnd(12)} ${time.padStart(7)} ms${detail === undefined ? '' : `  ${detail}`}`
}
