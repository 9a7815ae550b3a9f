/** Ending gateways: in peace, then SIGTERM, then SIGKILL, each for the worker's whole process group; and what had to be killed. */
import type { GatewayEnd } from './end.js'

/** What `terminate` had to do. */
export interface TerminateReport {
  /** The workers that did not leave by themselves. */
  readonly killed: readonly KilledWorker[]
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
  if (await endsWithin(gateway, 0)) return { killed: [] }
  // The worker's own deadline comes first: it knows which processes are its.
  steps.ask(Math.floor(timeoutMs * 0.8))
  if (!(await endsWithin(gateway, timeoutMs))) {
    steps.kill('SIGTERM')
    if (!(await endsWithin(gateway, TERM_MS))) steps.kill('SIGKILL')
  }
  const { signal } = await gateway.closed
  return { killed: signal === undefined ? [] : [{ gateway: gateway.id, signal }] }
}

async function endsWithin(gateway: Ending, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const ended = await Promise.race([gateway.closed.then(() => true), timeUp])
  clearTimeout(timer)
  return ended
}
