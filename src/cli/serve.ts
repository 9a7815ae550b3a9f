/** `tendril serve`: runs the server for `socket=` gateways, which is one Python file, or prints that file. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { socketServerFile } from '../index.js'
import { interrupted, UsageError } from './exit-codes.js'
import { PYTHONS } from './pythons.js'

/** Runs it until it ends; resolves to its exit code. @param options - As commander has them: names in camelCase. */
export async function serve({
  print,
  python,
  token,
  ...options
}: Readonly<Record<string, string | boolean | readonly string[]>>): Promise<number> {
  if (print === true) {
    process.stdout.write(await readFile(socketServerFile, 'utf8'))
    return 0
  }
  if (token !== undefined)
    throw new UsageError(
      'everybody on this machine could read a token on a command line: use --token-file or TENDRIL_TOKEN',
    )
  const args = Object.entries(options).flatMap(([name, value]) =>
    [value].flat().flatMap((word) => (word === true ? [`--${kebab(name)}`] : [`--${kebab(name)}`, String(word)])),
  )
  const commands = typeof python === 'string' ? [python] : PYTHONS
  for (const command of commands) {
    const code = await run(command, [socketServerFile, '--with-parent', ...args])
    if (code !== undefined) return code
  }
  throw new UsageError(`no Python was found: looked for ${commands.join(' and ')} on PATH; name one with --python`)
}

/** Undefined when there is no such program. */
async function run(command: string, args: readonly string[]): Promise<number | undefined> {
  // It leaves when its stdin comes to its end, which is when this process does, however that may be.
  const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] })
  // A terminal sends SIGINT to both; what is sent to us alone is for the server.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass)
  try {
    const [code, signal] = await once(child, 'exit')
    return code ?? (signal === 'SIGINT' ? interrupted : 1)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass)
  }
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
