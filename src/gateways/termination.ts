/** Ending gateways: in peace, then SIGTERM, then SIGKILL, each for the worker's whole process group; and what had to be killed. */
import { checkMs, Timer } from '../timer.js'
import { Unconfirmed } from '../transports/transport.js'
import type { GatewayEnd } from './end.js'

/** What `terminate` had to do. */
export interface TerminateReport {
  /** The workers that did not leave by themselves. */
  readonly killed: readonly KilledWorker[]
  /** The workers that were killed by way of somebody who did not answer: what became of them cannot be told from here. Absent when there are none. */
  readonly unconfirmed?: readonly UnconfirmedWorker[]
}

/** A worker of which nobody has said that it has ended. */
export interface UnconfirmedWorker {
  readonly gateway: string
  /** Who did not answer, in words. */
  readonly reason: string
}

/** A worker that was killed, by us or at the end of its grace by itself. */
export interface KilledWorker {
  readonly gateway: string
  readonly signal: string
}

interface Ending {
  readonly id: string
  readonly closed: Promise<GatewayEnd>
}

const GRACE_MS = 2000
// How long a process may take to react to SIGTERM, when it had all its grace before.
const TERM_MS = 100

/** Runs one gateway through all the steps it needs. Idempotent: a gateway that has ended is reported as nothing. */
export async function terminate(
  gateway: Ending,
  timeoutMs: number = GRACE_MS,
  steps: { ask(graceMs: number): void; kill(signal: 'SIGTERM' | 'SIGKILL'): void },
): Promise<TerminateReport> {
  checkMs('timeout', timeoutMs)
  if (await endsWithin(gateway, 0)) return { killed: [] }
  // The worker's own deadline comes first: it knows which processes are its.
  steps.ask(Math.floor(timeoutMs * 0.8))
  if (!(await endsWithin(gateway, timeoutMs))) {
    steps.kill('SIGTERM')
    if (!(await endsWithin(gateway, TERM_MS))) steps.kill('SIGKILL')
  }
  const { signal, error } = await gateway.closed
  if (error instanceof Unconfirmed) return { killed: [], unconfirmed: [{ gateway: gateway.id, reason: error.message }] }
  return { killed: signal === undefined ? [] : [{ gateway: gateway.id, signal }] }
}

/** One report of several. */
export function together(reports: readonly TerminateReport[]): TerminateReport {
  const killed = reports.flatMap((report) => report.killed)
  const unconfirmed = reports.flatMap((report) => report.unconfirmed ?? [])
  return unconfirmed.length === 0 ? { killed } : { killed, unconfirmed }
}

async function endsWithin(gateway: Ending, ms: number): Promise<boolean> {
  let timer: Timer | undefined
  const timeUp = new Promise<false>((resolve) => {
    timer = new Timer(ms, () => resolve(false))
  })
  const ended = await Promise.race([gateway.closed.then(() => true), timeUp])
  timer?.stop()
  return ended
}
