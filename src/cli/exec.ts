/** `tendril exec`: a Python file on every gateway at once, its items printed as they arrive. */
import { type Channel, type Gateway, Group, MultiChannel, type XSpec } from '../index.js'
import { interrupted, isConnectFailure, notConnected, UsageError } from './exit-codes.js'
import { endOnInterrupt } from './interruption.js'
import { Progress } from './progress.js'
import { readProvided } from './provided.js'
import { Report } from './report.js'
import { Screen } from './screen.js'
import { specsOf } from './specs.js'
import { terminalPrompt } from './terminal.js'

/** Runs the file; resolves to the exit code. Throws what makes running impossible: wrong usage. */
export async function exec(
  file: string,
  options: { readonly tx: readonly string[]; readonly kwarg: readonly string[]; readonly provide: readonly string[] },
): Promise<number> {
  const kwargs = Object.fromEntries(options.kwarg.map(parseKwarg))
  const specs = specsOf(options.tx)
  const screen = new Screen()
  const progress = new Progress(screen, specs)
  const group = new Group({
    onOutput: ({ gateway, stream, text }) => screen.print(stream, `[${gateway}] ${text}`),
    onPhase: progress.onPhase,
    prompt: terminalPrompt(screen),
  })
  const interruption = endOnInterrupt(group, () => progress.stop())
  try {
    // The file leaves together with the worker's own code: nobody waits for a gateway to be ready.
    const start = (gateway: Gateway): Channel => {
      if (options.provide.length > 0) gateway.provide(readProvided(options.provide))
      return gateway.remoteExec({ file }, kwargs)
    }
    const channels = new MultiChannel(specs.flatMap((spec) => execOn(group, spec, file, start)))
    const code = await printAll(channels, new Report(screen, interruption))
    if (interruption.aborted) return interrupted
    return progress.failed > 0 ? notConnected : code
  } finally {
    progress.stop()
    await group.terminate()
  }
}

/** No channel for a gateway that fails at once, which the progress has told: the others go on. */
function execOn(group: Group, spec: XSpec, file: string, start: (gateway: Gateway) => Channel): Channel[] {
  try {
    return [start(group.launchGateway(spec))]
  } catch (error) {
    if (isConnectFailure(error)) return []
    if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error
    if (error.code === 'ENOENT') throw new UsageError(`there is no file ${JSON.stringify(file)}`)
    throw new UsageError(`cannot read ${JSON.stringify(file)}: ${error.message}`)
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
  try {
    return [name, JSON.parse(value)]
  } catch {
    return [name, value]
  }
}
