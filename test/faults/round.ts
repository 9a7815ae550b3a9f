/** One round: a gateway over a faulty link, works, an end, and what must be so then. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Gateway, Group, TendrilError } from '../../src/index.js'
import { Mark, thoseThatStay } from '../processes.js'
import { Random } from '../random.js'
import { Links, type Surroundings } from './links.js'
import { isFaithful, type Plan } from './plan.js'
import { type Scene, Violation, workOf } from './works.js'

/** What a round leaves for those who look. */
export interface Outcome {
  readonly violations: string[]
  /** How many works came to their end, and the classes of the errors of the others. */
  readonly done: number
  readonly errors: string[]
  /** Nothing may hold it any more. */
  readonly gateways: WeakRef<Gateway>[]
}

/** Runs one. Never rejects. */
export async function runRound(plan: Plan, surroundings: Surroundings): Promise<Outcome> {
  return new Round(plan, surroundings).run()
}

class Round {
  readonly #plan: Plan
  readonly #surroundings: Surroundings
  readonly #mark = new Mark()
  readonly #folder = mkdtempSync(join(tmpdir(), 'tendril-faults-'))
  readonly #group = new Group({ onOutput: () => undefined })
  readonly #outcome: { violations: string[]; done: number; errors: string[]; gateways: WeakRef<Gateway>[] } = {
    violations: [],
    done: 0,
    errors: [],
    gateways: [],
  }
  readonly #links: Links
  readonly #looks: (() => void)[] = []
  #tellEnd: () => void = () => undefined
  /** Resolves when all must settle. */
  readonly #hasEnded = new Promise<void>((resolve) => {
    this.#tellEnd = resolve
  })

  constructor(plan: Plan, surroundings: Surroundings) {
    this.#plan = plan
    this.#surroundings = surroundings
    this.#links = new Links(plan, surroundings, this.#mark)
  }

  async run(): Promise<Outcome> {
    try {
      await this.#act()
    } catch (error) {
      this.#judge('the round', error)
    }
    for (const look of this.#looks) this.#try('afterwards', look)
    rmSync(this.#folder, { recursive: true, force: true })
    return this.#outcome
  }

  async #act(): Promise<void> {
    const { isEager, works, endAfterMs } = this.#plan
    const gateway = await this.#open()
    const closings = [...this.#group].map((each) => each.closed)
    for (const each of this.#group) this.#outcome.gateways.push(new WeakRef(each))
    if (!isEager) await within(gateway.ready, 3000).catch((error: unknown) => this.#judge('ready', error))
    const all = works.map(([name, seed], i) => this.#work(gateway, name, seed, i))
    const isDone = await within(Promise.all(all), endAfterMs)
    if (!isDone)
      await this.#bounded('the end', this.#end(gateway)).catch((error: unknown) => this.#judge('the end', error))
    await this.#bounded('group.terminate', this.#group.terminate({ timeout: 1000 })).catch((error: unknown) =>
      this.#judge('group.terminate', error),
    )
    await this.#bounded('closed', Promise.all(closings)).catch((error: unknown) => this.#judge('closed', error))
    this.#links.kill() // what stalls tells a worker nothing, and its clients wait for that
    await Promise.all(all)
    const left = await thoseThatStay(this.#mark.pids)
    if (left.length > 0) this.#outcome.violations.push(`processes stay: ${left.join(', ')}`)
  }

  /** The gateway that works; those before it are its carriers. */
  async #open(): Promise<Gateway> {
    const specs = await this.#links.specs()
    const gateways = specs.map((spec) => this.#group.launchGateway(spec))
    return gateways.at(-1) as Gateway
  }

  async #work(gateway: Gateway, name: Parameters<typeof workOf>[0], seed: number, number: number): Promise<void> {
    const folder = join(this.#folder, String(number))
    mkdirSync(folder)
    let step = 'begins'
    const scene: Scene = {
      gateway,
      random: new Random(seed),
      folder,
      isFaithful: isFaithful(this.#plan),
      at: (now) => {
        step = now
      },
      later: (look) => void this.#looks.push(look),
    }
    const ended = this.#hasEnded
    try {
      const done = (async () => workOf(name)(scene))()
      done.catch(() => undefined)
      await Promise.race([done, ended.then(() => this.#bounded(() => `${name} (${step})`, done))])
      this.#outcome.done++
    } catch (error) {
      this.#judge(`${name} (${step})`, error)
    }
  }

  async #end(gateway: Gateway): Promise<void> {
    const { end } = this.#plan
    const group = this.#group
    const run = (text: string): unknown => {
      const channel = gateway.isReceiving ? gateway.remoteExec(text) : undefined
      return channel?.waitClose({ timeout: 300 }).catch((error: unknown) => {
        if (!(error instanceof TendrilError)) throw error
      })
    }
    if (end === 'os._exit') await run('import os\nos._exit(3)')
    else if (end === 'kill') await run('import os\nos.kill(os.getpid(), 9)')
    else if (end === 'sys.exit') await run('import sys\nsys.exit(3)')
    else if (end === 'carrier kill')
      await group
        .get(0)
        .remoteExec('import os\nos.kill(os.getpid(), 9)')
        .waitClose({ timeout: 300 })
        .catch(() => undefined)
    const timeout = end === 'terminate 0' ? 0 : end === 'terminate 300' ? 300 : 1000
    this.#tellEnd()
    if (end === 'group') await group.terminate({ timeout })
    else if (end === 'exit') await gateway.exit()
    else await gateway.terminate({ timeout })
  }

  /** Of what is late it says whether it came at all: on a machine that is busy with other things it does, and what hangs, hangs for ever. */
  async #bounded<T>(what: string | (() => string), promise: Promise<T>): Promise<T> {
    const { boundMs } = this.#surroundings
    const begun = performance.now()
    if (await within(promise, boundMs)) return promise
    const where = typeof what === 'string' ? what : what()
    const stands = performance.eventLoopUtilization()
    const hasCome = await within(
      promise.catch(() => undefined),
      5 * boundMs,
    )
    const seconds = Math.round((performance.now() - begun) / 1000)
    const busy = Math.round(performance.eventLoopUtilization(stands).utilization * 100)
    throw new Violation(hasCome ? `late: ${where}, ${seconds} s, ${busy} % busy, ${pressure()}` : `hangs: ${where}`)
  }

  /** An error of a class that docs/errors.md has is how a work may end. */
  #judge(where: string, error: unknown): void {
    if (error instanceof Violation) this.#outcome.violations.push(`${where}: ${error.message}`)
    else if (error instanceof TendrilError) {
      this.#outcome.errors.push(error.name)
      const isFault =
        error.name === 'RemoteError' && isFaithful(this.#plan) && /AssertionError|tendril worker/.test(error.message)
      if (isFault) this.#outcome.violations.push(`${where}: ${error.message}`)
    } else this.#outcome.violations.push(`${where}: ${error instanceof Error ? error.stack : String(error)}`)
  }

  #try(where: string, look: () => void): void {
    try {
      look()
    } catch (error) {
      this.#judge(where, error)
    }
  }
}

/** How much of the last minute somebody waited for a processor, as Linux tells it. */
function pressure(): string {
  const path = '/proc/pressure/cpu'
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n', 1).join() : ''
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
