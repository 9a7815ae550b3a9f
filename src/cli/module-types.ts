/** `tendril types`: the declarations of a Python module, for `gateway.modules as Remote<Modules>`. */
import { writeFileSync } from 'node:fs'
import { declarationsOf, Group } from '../index.js'
import { UsageError } from './exit-codes.js'
import { Progress } from './progress.js'
import { Screen } from './screen.js'
import { specsOf } from './specs.js'
import { terminalPrompt } from './terminal.js'

/** Writes them to a file or to standard output; resolves to the exit code. */
export async function writeTypes(
  module: string,
  options: { readonly tx?: string | undefined; readonly output?: string | undefined },
): Promise<number> {
  const specs = specsOf(options.tx === undefined ? [] : [options.tx])
  const [spec] = specs
  if (spec === undefined || specs.length > 1) throw new UsageError(`types takes one gateway, not ${specs.length}`)
  if (!/^[^\W\d]\w*(\.[^\W\d]\w*)*$/u.test(module))
    throw new UsageError(`${JSON.stringify(module)} is not the name of a module`)
  const screen = new Screen()
  const progress = new Progress(screen, specs)
  const group = new Group({
    onOutput: ({ gateway, text }) => screen.print('stderr', `[${gateway}] ${text}`),
    onPhase: progress.onPhase,
    prompt: terminalPrompt(screen),
  })
  try {
    const text = await declarationsOf(group.launchGateway(spec), module)
    progress.stop()
    if (options.output === undefined) process.stdout.write(text)
    else write(options.output, text)
    return 0
  } catch (error) {
    return progress.exitCodeOf(error)
  } finally {
    progress.stop()
    await group.terminate()
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new UsageError(
      `cannot write ${JSON.stringify(file)}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
