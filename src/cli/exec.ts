/** `tendril exec`: a Python file on every gateway at once, its items printed as they arrive. */
import { inspect } from 'node:util'
import { type Channel, Group, type MultiChannel, RemoteError, XSpec } from '../index.js'
import { exitCodeOf, interrupted, UsageError } from './exit-codes.js'

/** Runs the file; resolves to the exit code. Throws what makes running impossible: usage, or a gateway that did not come to life. */
export async function exec(file: string, options: { readonly tx: readonly string[]; readonly kwarg: readonly string[] }): Promise<number> {
  const kwargs = Object.fromEntries(options.kwarg.map(parseKwarg))
  const specs = (options.tx.length > 0 ? options.tx : ['popen']).flatMap((spec) => XSpec.expand(spec)).map((spec) => XSpec.parse(spec))
  const group = new Group()
  const interruption = new Promise<number>((resolve) => process.once('SIGINT', () => resolve(interrupted)))
  try {
    return await Promise.race([interruption, run(group, specs, file, kwargs)])
  } finally {
    await group.terminate()
  }
}

async function run(group: Group, specs: readonly XSpec[], file: string, kwargs: Readonly<Record<string, unknown>>): Promise<number> {
  // The file leaves together with the worker's own code: nobody waits for a gateway to be ready.
  const gateways = specs.map((spec) => group.launchGateway(spec))
  const channels = execOnAll(group, file, kwargs)
  for await (const [channel, item] of channels.makeReceiveQueue()) {
    process.stdout.write(`[${channel.gateway.id}] ${typeof item === 'string' ? item : inspect(item, { depth: null, breakLength: 120 })}\n`)
  }
  await Promise.all(gateways.map((gateway) => gateway.ready))
  const codes = await Promise.all([...channels].map(codeOf))
  return Math.max(0, ...codes)
}

function execOnAll(group: Group, file: string, kwargs: Readonly<Record<string, unknown>>): MultiChannel {
  try {
    return group.remoteExec({ file }, kwargs)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw new UsageError(`there is no file ${JSON.stringify(file)}`)
    throw error
  }
}

async function codeOf(channel: Channel): Promise<number> {
  try {
    await channel.waitClose()
    return 0
  } catch (error) {
    const text = error instanceof RemoteError ? error.traceback.trimEnd() : error instanceof Error ? error.message : String(error)
    for (const line of text.split('\n')) process.stderr.write(`[${channel.gateway.id}] ${line}\n`)
    return exitCodeOf(error)
  }
}

function parseKwarg(text: string): [name: string, value: unknown] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new UsageError(`--kwarg takes name=value, not ${JSON.stringify(text)}`)
  try {
    return [name, JSON.parse(value)]
  } catch {
    return [name, value]
  }
}
