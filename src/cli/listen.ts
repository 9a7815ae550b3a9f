/** `tendril listen`: waits for Pythons that dial home, and runs a file on each that comes. */
import { readFile } from 'node:fs/promises'
import { type Arrivals, type Channel, dialFile, type Gateway, Group } from '../index.js'
import { parseKwarg } from './exec.js'
import { interrupted, UsageError } from './exit-codes.js'
import { endOnInterrupt } from './interruption.js'
import { readProgram } from './program.js'
import { Report } from './report.js'
import { Screen } from './screen.js'

/** As commander has them. */
export interface ListenCommandOptions {
  readonly host: string
  readonly port: string
  readonly count?: string
  readonly url?: string
  readonly tls: boolean
  readonly cert?: string
  readonly key?: string
  readonly tokenFile?: string
  readonly spec?: string
  readonly origin: readonly string[]
  readonly kwarg: readonly string[]
  readonly print: boolean
  readonly raw: boolean
}

const stay = 'for item in channel: pass' // until the channel ends, which nobody does before the command ends

/** Resolves to the exit code when as many as are expected have come and gone, or when it is interrupted. */
export async function listen(file: string | undefined, options: ListenCommandOptions): Promise<number> {
  if (options.print) {
    process.stdout.write(await readFile(dialFile, 'utf8'))
    return 0
  }
  const program = file === undefined ? undefined : await readProgram(file)
  const kwargs = Object.fromEntries(options.kwarg.map(parseKwarg))
  const token = options.tokenFile === undefined ? process.env['TENDRIL_TOKEN'] : undefined
  const isOpen = token !== undefined || options.tokenFile !== undefined
  const expected =
    options.count === undefined ? (isOpen ? Number.POSITIVE_INFINITY : 1) : numberOf('--count', options.count)
  const screen = new Screen(options)
  const group = new Group({ onOutput: ({ gateway, stream, text }) => screen.print(stream, `[${gateway}] ${text}`) })
  const arrivals = await group.listen({
    host: options.host,
    port: numberOf('--port', options.port),
    tls: await certificateOf(options),
    token,
    tokenFile: options.tokenFile,
    origins: options.origin,
    spec: options.spec,
    onRefusal: (address, reason) => screen.print('stderr', `tendril: turned away ${address}: ${reason.message}`),
  })
  const interruption = endOnInterrupt(group, () => arrivals.close())
  if (!isLoopback(arrivals.host) && !options.tls && options.cert === undefined)
    screen.print('stderr', 'tendril: whoever is on the way can read and change what is said: use --tls')
  const count = Number.isFinite(expected) ? { count: expected } : {}
  screen.print('stdout', arrivals.invite({ ...count, url: options.url }))
  const report = new Report(screen, interruption)
  try {
    const codes = await runOnAll(arrivals, expected, async (gateway) => {
      const { implementation, versionInfo, executable } = await gateway.info()
      const interpreter = `${implementation} ${versionInfo.slice(0, 3).join('.')}, ${executable}`
      screen.print('stderr', `tendril: ${gateway.id} is ${gateway.remoteAddress}, ${interpreter}`)
      const channel = program?.run(gateway, [], kwargs) ?? gateway.remoteExec(stay)
      await printItems(channel, report)
      const code = await report.end(channel)
      await gateway.terminate()
      return code
    })
    return interruption.aborted ? interrupted : Math.max(0, ...codes)
  } finally {
    arrivals.close()
    await group.terminate()
  }
}

/** Why they end is told by whoever waits for the end. */
async function printItems(channel: Channel, report: Report): Promise<void> {
  try {
    for await (const item of channel) report.item(channel, item)
  } catch {
    // it failed
  }
}

async function runOnAll(
  arrivals: Arrivals<Gateway>,
  expected: number,
  run: (gateway: Gateway) => Promise<number>,
): Promise<number[]> {
  const running: Promise<number>[] = []
  while (running.length < expected) {
    const gateway = await arrivals.next()
    if (gateway === undefined) break
    running.push(
      run(gateway).catch(() => 1), // it has ended amid its work, which the report has told
    )
  }
  arrivals.close()
  return Promise.all(running)
}

async function certificateOf({
  tls,
  cert,
  key,
}: ListenCommandOptions): Promise<{ cert: string; key: string } | boolean> {
  if (cert === undefined && key === undefined) return tls
  if (cert === undefined || key === undefined) throw new UsageError('--cert and --key go together')
  return { cert: await read(cert), key: await read(key) }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${JSON.stringify(path)}: ${error instanceof Error ? error.message : error}`)
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
}

function numberOf(option: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new UsageError(`${option} takes a number, not ${JSON.stringify(text)}`)
}
