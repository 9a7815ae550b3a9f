/** `tendril exec`: a Python file on every gateway at once, its items printed as they arrive. */
import { inspect } from 'node:util'
import { type Channel, Group, type MultiChannel, RemoteError, XSpec } from '../index.js'
import { exitCodeOf, interrupted, UsageError } from './exit-codes.js'

/** Runs the file; resolves to the exit code. Throws what makes running impossible: usage, or a gateway that did not come to life. */
export async function exec(
  file: string,
  options: { readonly tx: readonly string[]; readonly kwarg: readonly string[] },
): Promise<number> {
  const kwargs = Object.fromEntries(options.kwarg.map(parseKwarg))
  const specs = (options.tx.length > 0 ? options.tx : ['popen'])
    .flatMap((spec) => XSpec.expand(spec))
    .map((spec) => XSpec.parse(spec))
  const group = new Group()
  const interruption = new AbortController()
  process.once('SIGINT', () => {
    interruption.abort()
    void group.terminate() // everything that run waits for comes to its end by this
  })
  try {
    const code = await run(group, specs, file, kwargs, interruption.signal)
    return interruption.signal.aborted ? interrupted : code
  } finally {
    await group.terminate()
  }
}

async function run(
  group: Group,
  specs: readonly XSpec[],
  file: string,
  kwargs: Readonly<Record<string, unknown>>,
  interruption: AbortSignal,
): Promise<number> {
  // The file leaves together with the worker's own code: nobody waits for a gateway to be ready.
  for (const spec of specs) group.launchGateway(spec)
  const channels = execOnAll(group, file, kwargs)
  for await (const [channel, item] of channels.makeReceiveQueue()) {
    print('stdout', channel, typeof item === 'string' ? item : inspect(item, { depth: null, breakLength: 120 }))
  }
  const codes = await Promise.all([...channels].map((channel) => codeOf(channel, interruption)))
  return Math.max(0, ...codes)
}

function execOnAll(group: Group, file: string, kwargs: Readonly<Record<string, unknown>>): MultiChannel {
  try {
    return group.remoteExec({ file }, kwargs)
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error
    if (error.code === 'ENOENT') throw new UsageError(`there is no file ${JSON.stringify(file)}`)
    throw new UsageError(`cannot read ${JSON.stringify(file)}: ${error.message}`)
  }
}

async function codeOf(channel: Channel, interruption: AbortSignal): Promise<number> {
  try {
    await channel.waitClose()
    return 0
  } catch (error) {
    if (interruption.aborted) return interrupted
    const text =
      error instanceof RemoteError ? error.traceback.trimEnd() : error instanceof Error ? error.message : String(error)
    print('stderr', channel, text)
    return exitCodeOf(error)
  }
}

/** Every line is tagged: those of several gateways come between each other. */
function print(stream: 'stdout' | 'stderr', channel: Channel, text: string): void {
  for (const line of text.split('\n')) process[stream].write(`[${channel.gateway.id}] ${line}\n`)
}

function parseKwarg(text: string): [name: string, value: unknown] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined)
    throw new UsageError(`--kwarg takes name=value, not ${JSON.stringify(text)}`)
  try {
    return [name, JSON.parse(value)]
  } catch {
    return [name, value]
  }
}
