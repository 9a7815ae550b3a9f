/** A worker as a step of a job: `srun` carries its bytes, and says on stderr, between the worker's lines, what becomes of it. */
import { Timer } from '../../../timer.js'
import type { Origin } from '../../../transports/origin.js'
import type { Transport, TransportEnd, TransportEvents } from '../../../transports/transport.js'
import type { Seat } from './allocation.js'
import { ask } from './ask.js'
import { endOfStep, leftWith } from './step-end.js'

// srun ends its step when it is told to. Beyond this it does not: its node is gone, or Slurm itself.
const END_MS = 5000
const SAID_CHARACTERS = 8192

/** Starts a worker in a seat. It ends when the step does. @param argv - Begins with an absolute path: srun would look for others on this side. */
export function openStep(origin: Origin, seat: Seat, argv: readonly string[]): Transport {
  return new StepTransport(origin, seat, argv)
}

class StepTransport implements Transport {
  readonly #origin: Origin
  readonly #seat: Seat
  readonly #srun: Transport
  /** A line of stderr that has only begun. */
  #line = Buffer.alloc(0)
  /** What srun said for itself. */
  #said = ''
  #wasHeard = false
  #wasKilled = false
  #timer: Timer | undefined

  constructor(origin: Origin, seat: Seat, argv: readonly string[]) {
    this.#origin = origin
    this.#seat = seat
    this.#srun = origin.start({ argv: [...srunWords(seat), ...argv], env: {} })
  }

  get remoteAddress(): string {
    return this.#seat.node
  }

  start(events: TransportEvents): void {
    this.#srun.start({
      onChunk: (chunk) => {
        this.#wasHeard = true
        events.onChunk(chunk)
      },
      onStderr: (chunk) => this.#onStderr(chunk, events),
      onDrain: () => events.onDrain(),
      onEnd: (end) => void this.#onEnd(end, events),
    })
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#srun.write(chunks)
  }

  endInput(): void {
    this.#srun.endInput()
  }

  /** Killed itself, srun would leave its worker alone with a link that never ends; told to end, it kills it at once. */
  kill(): void {
    if (this.#wasKilled) return
    this.#wasKilled = true
    this.#srun.kill('SIGTERM')
    this.#timer = new Timer(END_MS, () => this.#srun.kill('SIGKILL')).unref()
  }

  keepAlive(isWanted: boolean): void {
    this.#srun.keepAlive(isWanted)
  }

  /** Of Slurm's own lines only those go on that tell something about the worker. */
  #onStderr(chunk: Uint8Array, events: TransportEvents): void {
    const text = Buffer.concat([this.#line, chunk])
    const end = text.lastIndexOf('\n') + 1
    this.#line = text.subarray(end)
    for (const line of linesOf(text.subarray(0, end))) this.#onLine(line, events)
    const mayBeSlurm = /^(s(r(u(n(:.*)?)?)?)?|slurmstepd.*|sl\w*)$/.test(this.#line.toString('latin1'))
    if (!mayBeSlurm || this.#line.length > SAID_CHARACTERS) this.#flush(events)
  }

  #onLine(line: Uint8Array, events: TransportEvents): void {
    const text = Buffer.from(line).toString('utf8')
    const isOfSrun = text.startsWith('srun: ')
    const isOfStep = /^slurmstepd(-\S+)?: /.test(text)
    if (isOfSrun || isOfStep) this.#said = (this.#said + text).slice(-SAID_CHARACTERS)
    if (!isOfSrun && !(isOfStep && text.includes(' CANCELLED AT '))) events.onStderr(line)
  }

  #flush(events: TransportEvents): void {
    if (this.#line.length > 0) this.#onLine(this.#line, events)
    this.#line = Buffer.alloc(0)
  }

  async #onEnd(end: TransportEnd, events: TransportEvents): Promise<void> {
    this.#timer?.stop()
    this.#flush(events)
    if (end.signal !== undefined) this.#cancel()
    const [seat, said, wasHeard] = [this.#seat, this.#said, this.#wasHeard]
    if (this.#wasKilled) events.onEnd(leftWith(said) ?? end)
    else events.onEnd(await endOfStep({ seat, end, said, wasHeard }))
  }

  /** What srun did not end, because it was killed itself. */
  #cancel(): void {
    const [, step] = /StepId=([\d.]+)/.exec(this.#said) ?? []
    if (step !== undefined) void ask(this.#origin, ['scancel', '--signal=KILL', step])
  }
}

// A controller that is itself part of a job has that job's variables, which srun would take for its options.
const clean = `for v in $(env | sed -n 's/^\\(SLURM_[A-Z0-9_]*\\)=.*/\\1/p'); do
  case $v in SLURM_CONF*|SLURM_JWT) ;; *) unset "$v";; esac
done
exec srun "$@"`

/**
 * Verbose, or it says nothing of a worker that left in peace; unbuffered, or the node keeps back what does not end with a line
 * feed. Workers on a node share what the job has there.
 */
function srunWords({ jobId, node }: Seat): string[] {
  const place = [`--jobid=${jobId}`, `--nodelist=${node}`, '--nodes=1', '--ntasks=1', '--overlap']
  return ['sh', '-c', clean, 'srun', '--verbose', '--unbuffered', ...place, '--mpi=none', '--export=ALL']
}

function linesOf(text: Buffer): Buffer[] {
  const lines = []
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start) + 1
    lines.push(text.subarray(start, end))
    start = end
  }
  return lines
}
