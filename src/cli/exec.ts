/** `tendril exec`: a Python file on every gateway at once, its items printed as they arrive. */
import { type Channel, type Gateway, Group, MultiChannel, type XSpec } from '../index.js'
import { interrupted, isConnectFailure, UsageError } from './exit-codes.js'
import { endOnInterrupt } from './interruption.js'
import { readProgram } from './program.js'
import { Progress } from './progress.js'
import { readProvided } from './provided.js'
import { Report } from './report.js'
import { Screen } from './screen.js'
import { specsOf } from './specs.js'
import { terminalPrompt } from './terminal.js'

/** What the command takes besides a file. */
export interface ExecOptions {
  readonly tx: readonly string[]
  readonly kwarg: readonly string[]
  readonly provide: readonly string[]
  /** A line of JSON for each item. */
  readonly json: boolean
  /** Whether each line begins with the name of its gateway. */
  readonly tag: boolean
  /** Whether a terminal is to do what workers say. */
  readonly raw: boolean
}

/** Runs the file; resolves to the exit code. Throws what makes running impossible: wrong usage. */
export async function exec(file: string, args: readonly string[], options: ExecOptions): Promise<number> {
  const kwargs = Object.fromEntries(options.kwarg.map(parseKwarg))
  const specs = specsOf(options.tx)
  const screen = new Screen(options)
  const progress = new Progress(screen, specs)
  const group = new Group({
    // What is printed keeps out of the way of JSON.
    onOutput: ({ gateway, stream, text }) => report.print(options.json ? 'stderr' : stream, gateway, text),
    onPhase: progress.onPhase,
    prompt: terminalPrompt(screen),
  })
  const interruption = endOnInterrupt(group, () => progress.stop())
  const report = new Report(screen, interruption, options)
  try {
    const program = await readProgram(file, interruption)
    // The file leaves together with the worker's own code: nobody waits for a gateway to be ready.
    const start = (gateway: Gateway): Channel => {
      if (options.provide.length > 0) gateway.provide(readProvided(options.provide))
      return program.run(gateway, args, kwargs)
    }
    const channels = new MultiChannel(specs.flatMap((spec) => execOn(group, spec, start)))
    const code = await printAll(channels, report)
    if (interruption.aborted) return interrupted
    return progress.exitCode > 0 ? progress.exitCode : code
  } catch (error) {
    if (interruption.aborted) return interrupted
    throw error
  } finally {
    progress.stop()
    await group.terminate()
  }
}

/** No channel for a gateway that fails at once, which the progress has told: the others go on. */
function execOn(group: Group, spec: XSpec, start: (gateway: Gateway) => Channel): Channel[] {
  try {
    return [start(group.launchGateway(spec))]
  } catch (error) {
    if (isConnectFailure(error)) return []
    throw error
  }
}

async function printAll(channels: MultiChannel, report: Report): Promise<number> {
  for await (const [channel, item] of channels.makeReceiveQueue()) report.item(channel, item)
  const codes = await Promise.all([...channels].map((channel) => report.end(channel)))
  return Math.max(0, ...codes)
}

/** A name in scope of the file, from the command line: its value is JSON, or else text. @throws {@link UsageError} */
export function parseKwarg(text: string): [name: string, value: unknown] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new UsageError(`--kwarg takes name=value, not ${JSON.stringify(text)}`)
  if (name === 'channel') throw new UsageError('no --kwarg can be called channel: that is the channel of the file')
  try {
    return [name, JSON.parse(value)]
  } catch {
    return [name, value]
  }
}
