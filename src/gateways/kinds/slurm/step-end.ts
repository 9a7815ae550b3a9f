/** How a worker ended, from what srun said: its exit code is that of the worker, but 0 as well when it has lost it. */
import { constants } from 'node:os'
import { sleep } from '../../../timer.js'
import { LinkClosed, type TransportEnd } from '../../../transports/transport.js'
import type { Seat } from './allocation.js'
import { errorsIn, notStarted } from './faults.js'

// Whether it was the whole job that ended is known a little later.
const JOB_END_MS = 1000

/** What is known when srun has ended. */
export interface StepFacts {
  readonly seat: Seat
  /** How srun itself ended. */
  readonly end: TransportEnd
  /** What it said for itself, verbose. */
  readonly said: string
  /** Whether the worker had sent anything. */
  readonly wasHeard: boolean
}

/** How the worker left, as `wait` has it; undefined when srun does not know. */
export function leftWith(said: string): TransportEnd | undefined {
  const [, hex] = /task exit notification.*\(status=0x([0-9a-f]+)\)/i.exec(said) ?? []
  if (hex === undefined) return undefined
  const status = Number.parseInt(hex, 16)
  const number = status & 0x7f
  if (number === 0) return { exitCode: (status >> 8) & 0xff }
  const [name] = Object.entries(constants.signals).find(([, signal]) => signal === number) ?? []
  return { signal: name ?? `signal ${number}` }
}

/** The end of a step that nobody here has ended. */
export async function endOfStep(facts: StepFacts): Promise<TransportEnd> {
  const { seat, end, said, wasHeard } = facts
  const left = leftWith(said)
  const wasTaken = / CANCELLED AT |Node failure on/.test(said)
  if (left !== undefined && !wasTaken) {
    // On a busy node a job that is cancelled kills its worker before its step can say so.
    const isJobOver = left.signal !== undefined && (await wordOfJob(seat)) !== undefined
    if (!isJobOver) return left
  }
  const isSilent = !wasHeard && !wasTaken && end.error === undefined && end.signal === undefined
  return { error: isSilent ? notStarted(said, placeOf(seat)) : new LinkClosed(await lossOf(facts)) }
}

async function lossOf({ seat, end, said }: StepFacts): Promise<string> {
  const { jobId } = seat
  const [, node] = /Node failure on (\S+)/.exec(said) ?? []
  if (node !== undefined) return `node ${node} has failed, or was set down (job ${jobId})`
  const jobSaid = await wordOfJob(seat)
  const [cancelled, why] = / CANCELLED AT \S+(?: DUE TO ([A-Z ]*[A-Z]))?/.exec(said) ?? []
  if (why === 'TIME LIMIT' || (jobSaid !== undefined && /time limit/i.test(jobSaid)))
    return `job ${jobId} has reached its time limit; ask for more with time=`
  if (why !== undefined) return `job ${jobId} was cancelled: ${why.toLowerCase()}`
  if (jobSaid !== undefined) return `job ${jobId} was cancelled`
  if (cancelled !== undefined) return `its step was cancelled (${placeOf(seat)}, which goes on)`
  return `the worker was lost (${placeOf(seat)}): ${lastWords(end, said)}`
}

/** What was said of the end of the whole job; undefined when it goes on. */
function wordOfJob({ jobEnded }: Seat): Promise<string | undefined> {
  return Promise.race([jobEnded, sleep(JOB_END_MS)])
}

function lastWords({ exitCode, signal, error }: TransportEnd, said: string): string {
  const errors = errorsIn(said)
  if (errors !== '') return `srun says ${JSON.stringify(errors)}`
  const how = signal === undefined ? `ended with exit code ${exitCode ?? 'unknown'}` : `was ended by ${signal}`
  return `srun ${error?.message ?? how}, and does not tell how`
}

function placeOf({ node, jobId }: Seat): string {
  return `${node}, job ${jobId}`
}
