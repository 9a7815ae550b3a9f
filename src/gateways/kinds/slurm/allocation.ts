/** What several gateways were granted together: asked for once for all of them, given back when the last has ended. */
import { sleepQuietly } from '../../../timer.js'
import type { Connecting } from '../../../transports/connecting.js'
import { JoinedConnecting } from '../../../transports/joined-connecting.js'
import type { Origin } from '../../../transports/origin.js'
import { unlessAborted } from '../../../transports/unless-aborted.js'
import { ask } from './ask.js'
import { Job, type JobRequest } from './job.js'

/** A place for one worker. */
export interface Seat {
  readonly jobId: string
  readonly node: string
  /** Resolves when the job is over, with what salloc said. Never rejects. */
  readonly jobEnded: Promise<string>
  /** Nobody sits there any more. Idempotent. */
  release(): void
}

// Why a job is pending seldom changes, and squeue costs the controller more than us: asked again later each time.
const FIRST_LOOK_MS = 2000
const LAST_LOOK_MS = 30_000

/** Seats that are taken before the request is sent are part of it. */
export class Allocation {
  readonly #origin: Origin
  readonly #request: JobRequest
  readonly #way = new JoinedConnecting()
  readonly #submitted: Promise<Job>
  #submit: (job: Job) => void = () => undefined
  #job: Job | undefined
  #wanted = 0
  #taken = 0

  constructor(origin: Origin, request: JobRequest) {
    this.#origin = origin
    this.#request = request
    this.#submitted = new Promise((resolve) => {
      this.#submit = resolve
    })
  }

  /**
   * Waits for a seat, however long the queue is.
   *
   * @param signal - Gives it up.
   * @throws ConnectFault when the job is refused, the same for everybody.
   */
  async take(connecting: Connecting, signal: AbortSignal): Promise<Seat> {
    const release = this.#hold()
    const leave = this.#way.join(connecting)
    try {
      const job = await unlessAborted(this.#submitted, signal)
      const { jobId, nodes } = await unlessAborted(job.granted, signal)
      const node = nodes[this.#taken++ % nodes.length] ?? ''
      return { jobId, node, jobEnded: job.ended, release }
    } catch (error) {
      release()
      throw error
    } finally {
      leave()
    }
  }

  /** Asks for all seats that are wanted by now, in one job. */
  submit(): void {
    if (this.#wanted === 0) return
    this.#way.enter('connect', 'the Slurm controller')
    const job = new Job(this.#origin, this.#request, {
      tasks: this.#wanted,
      onPending: (jobId) => void this.#queue(job, jobId),
    })
    this.#job = job
    job.granted.then(
      ({ jobId, nodes }) => this.#way.enter('channel', `job ${jobId} on ${[...new Set(nodes)].join(', ')}`),
      () => undefined,
    )
    this.#submit(job)
  }

  #hold(): () => void {
    this.#wanted++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      if (--this.#wanted === 0) this.#job?.release()
    }
  }

  /** Says why the job waits, until it does no more. */
  async #queue(job: Job, jobId: string): Promise<void> {
    const resume = this.#way.pause()
    let isOver = false
    const leave = (): void => {
      isOver = true
      resume()
    }
    const over = job.granted.then(leave, leave)
    this.#way.enter('channel', `job ${jobId} is pending`, stuck(jobId, 'why is not known yet'))
    for (let ms = FIRST_LOOK_MS; ; ms = Math.min(ms * 1.5, LAST_LOOK_MS)) {
      const argv = ['squeue', '--noheader', `--jobs=${jobId}`, '--format=%r']
      const reason = (await ask(this.#origin, argv))?.trim() ?? 'the controller does not answer'
      if (isOver) return
      this.#way.enter('channel', `job ${jobId} is pending (${reason})`, stuck(jobId, reason))
      await Promise.race([over, sleepQuietly(ms)])
      if (isOver) return
    }
  }
}

function stuck(jobId: string, reason: string): string {
  return `job ${jobId} was still pending (${reason}) and has been cancelled. Look at squeue and sinfo for what it waited for. Leave timeout= away to wait for as long as the queue takes`
}
