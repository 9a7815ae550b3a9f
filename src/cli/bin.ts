#!/usr/bin/env node
import { readFileSync } from 'node:fs'
/** The command line. A command is a file beside this one and a line here; exit codes are in `exit-codes.ts`. */
import { Command, CommanderError } from 'commander'
import { exitCodeOf } from './exit-codes.js'

const program = new Command('tendril')
  .description('Drives bare Python interpreters, anywhere.')
  .version(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version)
  .exitOverride()
  .showHelpAfterError('(tendril --help tells more)')

program
  .command('exec')
  .description('run a Python file on every gateway and print what it sends')
  .argument('<file>', 'the Python file; it finds `channel` in scope')
  .option(
    '--tx <spec>',
    'a gateway, such as popen, 3*popen or popen//python=python3.12; may be given again (default: popen)',
    collect,
    [],
  )
  .option(
    '--kwarg <name=value>',
    'a name in scope of the file; the value is JSON, or else text; may be given again',
    collect,
    [],
  )
  .action(async (file: string, options: { tx: string[]; kwarg: string[] }) => {
    const { exec } = await import('./exec.js')
    process.exitCode = await exec(file, options)
  })

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

try {
  await program.parseAsync()
} catch (error) {
  // Commander has said what is wrong; help and version are no errors.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    process.stderr.write(`tendril: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = exitCodeOf(error)
  }
}
