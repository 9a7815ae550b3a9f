/** The specs of a round's gateways, with the faulty link between them and whoever opens them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Mark } from '../processes.js'
import type { Plan } from './plan.js'

const linkFile = fileURLToPath(new URL('../fixtures/faulty_link.py', import.meta.url))
const TIMEOUT = 'timeout=20s'

/** What all rounds have in common. */
export interface Surroundings {
  /** A Python 3 for the link. */
  readonly python: string
  /** The spec that reaches a server, and its port. */
  readonly server: { readonly spec: string; readonly port: number }
  /** How long anything may take to settle when its gateway has been told to end. What hangs, hangs for ever. */
  readonly boundMs: number
}

/** The links of a round. Their processes, and those of the gateways, have its mark. */
export class Links {
  readonly #plan: Plan
  readonly #surroundings: Surroundings
  readonly #variable: string
  readonly #variables: Readonly<Record<string, string>>
  readonly #children: ChildProcess[] = []

  constructor(plan: Plan, surroundings: Surroundings, mark: Mark) {
    this.#plan = plan
    this.#surroundings = surroundings
    this.#variables = mark.variables
    this.#variable = Object.entries(mark.variables)
      .map(([name, value]) => `${name}=${value}`)
      .join()
  }

  /** The spec of the gateway that works, behind those of its carriers. */
  async specs(): Promise<string[]> {
    const { way, python } = this.#plan
    const popen = `popen//python=${python}//env:${this.#variable}`
    if (way === 'popen') return [popen]
    if (way === 'pipe') return [`${this.#pipe()}//${TIMEOUT}`]
    if (way === 'socket') return [await this.#socket()]
    const carrier = way === 'inner pipe' ? popen : way === 'carrier pipe' ? this.#pipe() : await this.#socket()
    return [
      `${carrier}//id=carrier`,
      `${way === 'inner pipe' ? this.#pipe() : popen}//id=inner//via=carrier//${TIMEOUT}`,
    ]
  }

  /** Ends those that no gateway has started. */
  kill(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  /** Of those that `kill` ends. */
  get pids(): readonly (number | undefined)[] {
    return this.#children.map(({ pid }) => pid)
  }

  #pipe(): string {
    const { python } = this.#plan
    return `command=env ${this.#variable} ${this.#surroundings.python} -SE ${linkFile} ${this.#words()} -- {python}//python=${python}`
  }

  async #socket(): Promise<string> {
    const { spec, port } = this.#surroundings.server
    const child = spawn(
      this.#surroundings.python,
      ['-SE', linkFile, ...this.#words().split(' '), '--', '--listen', String(port)],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...this.#variables } },
    )
    this.#children.push(child)
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    return `${spec.replace(String(port), line)}//python=${this.#plan.python}//env:${this.#variable}//${TIMEOUT}`
  }

  #words(): string {
    const { seed, split, delay, faults } = this.#plan
    return [seed, `split=${split}`, `delay=${delay}`, ...faults.map((fault) => `fault=${fault}`)].join(' ')
  }
}
