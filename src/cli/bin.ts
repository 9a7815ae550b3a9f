#!/usr/bin/env node
import { readFileSync } from 'node:fs'
/** The command line. A command is a file beside this one and a line here; exit codes are in `exit-codes.ts`. */
import { Command, CommanderError, Option } from 'commander'
import type { ExecOptions } from './exec.js'
import { exitCodeOf } from './exit-codes.js'
import { endWithReaders } from './readers.js'

const withoutSpecs = 'those of the variable TENDRIL_TX, else popen'

endWithReaders()
const program = new Command('tendril')
  .description('Drives bare Python interpreters, anywhere.')
  .version(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version)
  .exitOverride()
  .showHelpAfterError('(tendril --help tells more)')

program
  .command('exec')
  .description('run a Python file on every gateway and print what it sends')
  .argument('<file>', 'the Python file, or - for what comes on standard input; it finds `channel` in scope')
  .argument('[arg...]', 'what it finds in sys.argv, behind its own name; those that tendril has itself go behind --')
  .allowUnknownOption()
  .option(
    '--tx <spec>',
    `a gateway, such as popen, 3*popen, ssh=web1, or @hosts.txt for those of a file; may be given again (default: ${withoutSpecs})`,
    collect,
    [],
  )
  .option(
    '--kwarg <name=value>',
    'a name in scope of the file; the value is JSON, or else text; may be given again',
    collect,
    [],
  )
  .option(
    '--provide <what>',
    'what the file may import from here: a folder such as ./lib, a wheel, or the name of a package, which is sent whole; may be given again',
    collect,
    [],
  )
  .option('--json', 'an item a line: { "gateway": …, "item": … }; what is printed goes to stderr', false)
  .option('--no-tag', 'lines without the name of their gateway')
  .option(
    '--raw',
    'have a terminal do what workers print, also where that moves the cursor and lines look like those of others',
    false,
  )
  .action(async (file: string, args: string[], options: ExecOptions, command: Command) => {
    if (/^-./.test(file)) command.error(`error: unknown option '${file}'`)
    const { exec } = await import('./exec.js')
    process.exitCode = await exec(file, args, options)
  })

program
  .command('repl')
  .description("Python's own prompt on a gateway; runs what comes on standard input when that is no terminal")
  .argument('[spec]', `the gateway, such as ssh=web1 (default: ${withoutSpecs})`)
  .action(async (spec: string | undefined) => {
    const { repl } = await import('./repl.js')
    process.exitCode = await repl(spec === undefined ? [] : [spec])
  })

program
  .command('types')
  .description('write TypeScript declarations of a Python module: what its signatures and annotations say')
  .argument('<module>', 'its dotted name, such as json or os.path')
  .option('--tx <spec>', `the gateway whose Python has it, such as ssh=web1 (default: ${withoutSpecs})`)
  .option('-o, --output <file>', 'the file to write, such as json.d.ts (default: standard output)')
  .action(async (module: string, options: { tx?: string; output?: string }) => {
    const { writeTypes } = await import('./module-types.js')
    process.exitCode = await writeTypes(module, options)
  })

program
  .command('doctor')
  .description(
    'open gateways and tell how far each comes, how long each phase takes, and what to do about one that fails',
  )
  .argument('[spec...]', `gateways, such as ssh=web1, or @hosts.txt for those of a file (default: ${withoutSpecs})`)
  .option('--json', 'a JSON object for each gateway, a line each', false)
  .option('--trace', 'a line on stderr for each frame that passes, and for each phase', false)
  .action(async (specs: string[], options: { json: boolean; trace: boolean }) => {
    const { doctor } = await import('./doctor.js')
    process.exitCode = await doctor(specs, options)
  })

program
  .command('serve')
  .description('serve gateways on a socket; prints the spec that reaches it')
  .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
  .option('--port <number>', 'the port to listen on (default: a free one)')
  .option(
    '--token-file <file>',
    'a file with the token that clients must know (default: the variable TENDRIL_TOKEN, else a file of yours)',
  )
  .option('--python <command>', 'the interpreter that serves, and that workers are (default: python3, else python)')
  .option('--max-connections <number>', 'workers at a time (default: 64)')
  .option(
    '--handshake-timeout <seconds>',
    'for which a connection may take to prove that it knows the token (default: 10)',
  )
  .option('--penalty <seconds>', 'after which a wrong proof is answered (default: 1)')
  .option(
    '--max-strangers <number>',
    'connections at a time that have proved nothing; then the oldest of the address with most makes room (default: 512)',
  )
  .option(
    '--origin <origin>',
    'a page of this origin, such as https://example.org, may come by WebSocket; may be given again (default: none)',
    collect,
    [],
  )
  .addOption(new Option('--token <token>').hideHelp())
  .option('--tls', 'encrypt connections')
  .option(
    '--cert <file>',
    'the certificate chain, in PEM (default: one of our own, which openssl makes at the first start; the spec has its fingerprint)',
  )
  .option('--key <file>', 'the private key of the certificate, in PEM')
  .option('--print', 'print the server, one Python file, for a host without Node')
  .action(async (options: Record<string, string | boolean | string[]>) => {
    const { serve } = await import('./serve.js')
    process.exitCode = await serve(options)
  })

program
  .command('listen')
  .description('wait for Pythons that dial home, from behind NAT and firewalls; prints the command that brings one')
  .argument('[file]', 'a Python file to run on each that comes; without it they stay until the command is interrupted')
  .option('--host <address>', 'the address to listen on', '127.0.0.1')
  .option('--port <number>', 'the port to listen on; 0 for a free one', '0')
  .option(
    '--count <number>',
    'how many may come by the command that is printed, and are waited for (default: 1, or without end where there is a token)',
  )
  .option(
    '--url <url>',
    'where it is found: wss://host/path behind a proxy, tcp://host:port behind a port that is forwarded',
  )
  .option('--tls', 'encrypt connections; with a certificate that is made now, unless there is one', false)
  .option('--cert <file>', 'the certificate chain, in PEM')
  .option('--key <file>', 'the private key of the certificate, in PEM')
  .option(
    '--token-file <file>',
    'a file with a token by which anybody may come, as often as they like (default: the variable TENDRIL_TOKEN)',
  )
  .option('--origin <origin>', 'a page of this origin may come by WebSocket; may be given again', collect, [])
  .option('--spec <keys>', 'keys for every gateway, such as chdir=work//nice=5')
  .option('--kwarg <name=value>', 'a name in scope of the file; may be given again', collect, [])
  .option(
    '--raw',
    'have a terminal do what workers print, also where that moves the cursor and lines look like those of others',
    false,
  )
  .option('--print', 'print the program that dials, one Python file, for a host that comes back again and again', false)
  .action(async (file: string | undefined, options) => {
    const { listen } = await import('./listen.js')
    process.exitCode = await listen(file, options)
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
