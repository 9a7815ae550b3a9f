/** What the suites of this folder are run against: one kind of gateway, to one interpreter. */
import { type Gateway, Group, type OutputLine } from '../../src/index.js'
import type { Interpreter } from '../interpreters.js'

/** Opens gateways of a kind; the suites share `gateway`, and open their own for what ends one. */
export class Subject {
  readonly name: string
  readonly isPython2: boolean
  /** All that gateways of this subject printed. */
  readonly lines: OutputLine[] = []
  readonly #group = new Group({ onOutput: (line) => this.lines.push(line) })
  readonly #spec: string
  readonly #carrierSpec: string | undefined
  #gateway: Gateway | undefined

  constructor(kind: 'popen' | 'via', { name, command }: Interpreter) {
    this.name = `${kind} to ${name}`
    this.isPython2 = name.startsWith('CPython 2')
    this.#spec = `popen${kind === 'via' ? '//via=carrier' : ''}//python=${command}`
    this.#carrierSpec = kind === 'via' ? `popen//id=carrier//python=${command}` : undefined
  }

  /** The one that all suites use and none may end. */
  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error(`${this.name} has not been started`)
    return this.#gateway
  }

  async start(): Promise<void> {
    if (this.#carrierSpec !== undefined) await this.#group.makeGateway(this.#carrierSpec)
    this.#gateway = await this.open()
  }

  /** Another gateway of the kind; `keys` are further keys of its spec. */
  open(...keys: string[]): Promise<Gateway> {
    return this.#group.makeGateway([this.#spec, ...keys].join('//'))
  }

  /** What a gateway printed, as text. */
  printed(gateway: Gateway, stream: 'stdout' | 'stderr' = 'stdout'): string[] {
    return this.lines.filter((line) => line.gateway === gateway.id && line.stream === stream).map(({ text }) => text)
  }

  async stop(): Promise<void> {
    await this.#group.terminate()
  }
}
