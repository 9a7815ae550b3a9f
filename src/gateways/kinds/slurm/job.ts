/**
 * One job that does nothing but hold what Slurm has granted, for as long as we live: `salloc`, in the care of a shell that
 * ends it when its own input ends. That happens however we end, and counts for a job that still waits, too.
 */
import type { Origin } from '../../../transports/origin.js'
import type { Transport, TransportEnd } from '../../../transports/transport.js'
import { refusal } from './faults.js'

/** What is asked for. */
export interface JobRequest {
  readonly partition: string
  /** As many as Slurm sees fit, when absent. */
  readonly nodes: number | undefined
  /** The partition's own, when absent. */
  readonly timeLimitMs: number | undefined
  /** Further options of salloc. */
  readonly options: readonly string[]
}

/** What has been granted. */
export interface Grant {
  readonly jobId: string
  /** The node of every task, in Slurm's order. */
  readonly nodes: readonly string[]
}

// When the controller is gone, workers see the end of their input and have a second to leave: they get it before the job ends.
// Told to end at the moment in which its job is queued, salloc does not hear it: it is told again until it is gone.
const holder = `command -v salloc >/dev/null || exit 127
exec 3<&0
salloc "$@" sh -c 'echo "granted $SLURM_JOB_ID $SLURM_TASKS_PER_NODE" $(scontrol show hostnames "$SLURM_JOB_NODELIST"); exec sleep 2147483647' </dev/null 3<&- &
job=$!
(read -r _ <&3 || sleep 2; while kill "$job"; do sleep 0.2 || sleep 1; done) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$job"
code=$?
kill "$watch"
exit "$code"`

const SAID_CHARACTERS = 4096

/** It is asked for at once. */
export class Job {
  /** Rejects with a ConnectFault when it is refused, or ends before. */
  readonly granted: Promise<Grant>
  /** Resolves when it is over, with what salloc said. Never rejects. */
  readonly ended: Promise<string>
  readonly #transport: Transport
  readonly #onPending: (jobId: string) => void
  #resolveGranted: (grant: Grant) => void = () => undefined
  #stdout = ''
  #said = ''
  #isPending = false

  /** @param onPending - Called once, when it has to wait in the queue. */
  constructor(origin: Origin, request: JobRequest, options: { tasks: number; onPending: (jobId: string) => void }) {
    this.#onPending = options.onPending
    const argv = ['sh', '-c', holder, 'tendril', ...argumentsOf(request, options.tasks)]
    this.#transport = origin.start({ argv, env: {} })
    const end = new Promise<TransportEnd>((resolve) => this.#listen(resolve))
    this.ended = end.then(() => this.#said)
    this.granted = new Promise((resolve, reject) => {
      this.#resolveGranted = resolve
      void end.then((how) => reject(refusal(how, this.#said, { origin, partition: request.partition })))
    })
    this.granted.catch(() => undefined) // whoever waits has given up, it may be
  }

  /** Gives it back, or up. Idempotent. */
  release(): void {
    this.#transport.keepAlive(false)
    this.#transport.write([Buffer.from('release\n')])
    this.#transport.endInput()
  }

  #listen(onEnd: (end: TransportEnd) => void): void {
    this.#transport.start({
      onChunk: (chunk) => this.#onStdout(Buffer.from(chunk).toString('utf8')),
      onStderr: (chunk) => this.#onStderr(Buffer.from(chunk).toString('utf8')),
      onDrain: () => undefined,
      onEnd,
    })
  }

  #onStdout(text: string): void {
    this.#stdout = (this.#stdout + text).slice(-SAID_CHARACTERS * 16)
    const [, jobId, counts, nodes] = /^granted (\S+) (\S+) (.+)\n/m.exec(this.#stdout) ?? []
    if (jobId === undefined || counts === undefined || nodes === undefined) return
    // Those who use it keep this process alive.
    this.#transport.keepAlive(false)
    this.#resolveGranted({ jobId, nodes: nodesOfTasks(counts, nodes.trim().split(' ')) })
  }

  #onStderr(text: string): void {
    this.#said = (this.#said + text).slice(-SAID_CHARACTERS)
    const [, jobId] = /Pending job allocation (\d+)|job (\d+) queued/.exec(this.#said)?.filter(Boolean) ?? []
    if (jobId === undefined || this.#isPending) return
    this.#isPending = true
    this.#onPending(jobId)
  }
}

function argumentsOf({ partition, nodes, timeLimitMs, options }: JobRequest, tasks: number): string[] {
  return [
    '--job-name=tendril',
    `--partition=${partition}`,
    `--ntasks=${tasks}`,
    ...(nodes === undefined ? [] : [`--nodes=${nodes}`]),
    ...(timeLimitMs === undefined ? [] : [`--time=${minutesAndSeconds(timeLimitMs)}`]),
    ...options,
    // A node that fails is the end of those on it only; and what holds the job ends with it.
    '--no-kill',
    '--kill-command',
  ]
}

function minutesAndSeconds(ms: number): string {
  if (ms === Infinity) return 'UNLIMITED'
  const seconds = Math.ceil(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** @param counts - How many tasks each node has, as Slurm writes it: `4,2,1(x2)`. */
export function nodesOfTasks(counts: string, nodes: readonly string[]): string[] {
  const each = counts.split(',').flatMap((part) => {
    const [, count, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? []
    return new Array<number>(Number(times)).fill(Number(count ?? 1))
  })
  return nodes.flatMap((node, index) => new Array<string>(each[index] ?? 1).fill(node))
}
