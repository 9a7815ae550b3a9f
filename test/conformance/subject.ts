/** What the suites of this folder are run against: one kind of gateway, to one interpreter. */
import { expect } from 'vitest'
import { type Gateway, Group, type OutputLine, type Prompt } from '../../src/index.js'
import type { Interpreter } from '../interpreters.js'

/** How gateways of a kind are opened. */
export interface Way {
  /** The spec of one, with the interpreter. */
  readonly spec: string
  /** Specs of gateways that are opened before, one after the other: those that carry the others, and the like. */
  readonly before?: readonly string[]
  /** Where a worker starts; here when absent. */
  readonly startFolder?: string
  /** What a worker says with its last breath may be lost on the way: why is for the way to tell. */
  readonly losesLastWords?: boolean
  /** The exit code that stands for every signal, on a way that does not tell which. */
  readonly codeOfSignals?: number
  /** Nobody is there to tell how a worker ended. */
  readonly tellsNoEnd?: boolean
  /** Answers questions on the way. */
  readonly prompt?: Prompt
  /** Opens one in another way than by its spec. */
  readonly open?: (group: Group, keys: readonly string[]) => Promise<Gateway>
  /** Ends what the gateways led to. */
  readonly stop?: () => Promise<void>
}

/** Prepares what gateways of a kind lead to. */
export type FindWay = (python: string) => Way | Promise<Way>

/** Children of this process. */
export const popen: FindWay = (python) => ({ spec: `popen//python=${python}` })

/** Children of another gateway's worker. */
export const via: FindWay = (python) => ({
  spec: `popen//via=carrier//python=${python}`,
  before: [`popen//id=carrier//python=${python}`],
})

/** The way of another kind, set out upon beside the worker of a local gateway. */
export function viaCarrier(findWay: FindWay): FindWay {
  return async (python) => {
    const way = await findWay(python)
    return { ...way, spec: `${way.spec}//via=carrier`, before: [`popen//id=carrier//python=${python}`] }
  }
}

/** Opens gateways of a kind; the suites share `gateway`, and open their own for what ends one. */
export class Subject {
  readonly name: string
  readonly isPython2: boolean
  /** All that gateways of this subject printed. */
  readonly lines: OutputLine[] = []
  readonly #group = new Group({ onOutput: (line) => this.lines.push(line) })
  readonly #findWay: () => Way | Promise<Way>
  #way: Way | undefined
  #gateway: Gateway | undefined

  /** @param title - The kind, for the names of tests. */
  constructor(title: string, { name, command }: Interpreter, findWay: FindWay) {
    this.name = `${title} to ${name}`
    this.isPython2 = name.startsWith('CPython 2')
    this.#findWay = () => findWay(command)
  }

  /** The one that all suites use and none may end. */
  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error(`${this.name} has not been started`)
    return this.#gateway
  }

  /** Where a worker starts. */
  get startFolder(): string {
    return this.#way?.startFolder ?? process.cwd()
  }

  /** What must have arrived of a worker's last words. */
  lastWords(expected: unknown): unknown {
    return this.#way?.losesLastWords === true ? expect.any(String) : expected
  }

  /** What must be known of a worker that a signal has ended. */
  killedBy(signal: string): { reason: string; exitCode?: number; signal?: string } {
    if (this.#way?.tellsNoEnd === true) return { reason: 'lost' }
    const exitCode = this.#way?.codeOfSignals
    return exitCode === undefined ? { reason: 'killed', signal } : { reason: 'exited', exitCode }
  }

  /** What must be known of a worker that left by itself. */
  exitedWith(exitCode: number): { reason: string; exitCode?: number } {
    return this.#way?.tellsNoEnd === true ? { reason: 'lost' } : { reason: 'exited', exitCode }
  }

  async start(): Promise<void> {
    this.#way = await this.#findWay()
    for (const spec of this.#way.before ?? []) await this.#group.makeGateway(spec)
    this.#gateway = await this.open()
  }

  /** Another gateway of the kind; `keys` are further keys of its spec. */
  open(...keys: string[]): Promise<Gateway> {
    if (this.#way?.open !== undefined) return this.#way.open(this.#group, keys)
    return this.#group.makeGateway([this.#way?.spec, ...keys].join('//'), { prompt: this.#way?.prompt })
  }

  /** What a gateway printed, as text. */
  printed(gateway: Gateway, stream: 'stdout' | 'stderr' = 'stdout'): string[] {
    return this.lines.filter((line) => line.gateway === gateway.id && line.stream === stream).map(({ text }) => text)
  }

  async stop(): Promise<void> {
    await this.#group.terminate()
    await this.#way?.stop?.()
  }
}
