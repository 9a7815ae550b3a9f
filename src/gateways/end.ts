/** How gateways end, in data and in words: what `closed` resolves to and the errors that everybody who waits gets. */
import { BootstrapError, GatewayClosedError, ProtocolError, TimeoutError } from '../errors.js'
import type { TransportEnd } from '../transports/transport.js'

/** How a gateway ended. */
export interface GatewayEnd {
  /** `exited` by itself, `terminated` by us in peace, `killed` by a signal, or `lost`: the link broke or broke a rule. */
  readonly reason: 'exited' | 'terminated' | 'killed' | 'lost'
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  /** The last 4 KiB that came over stderr. */
  readonly stderrTail: string
  /** What broke, when `reason` is `lost`; or why the gateway never started. */
  readonly error?: Error | undefined
}

/** Puts together how it ended. */
export function gatewayEnd(
  end: TransportEnd,
  facts: { readonly wasAsked: boolean; readonly stderrTail: string; readonly fault: Error | undefined },
): GatewayEnd {
  const error = facts.fault ?? end.error
  const peaceful = facts.wasAsked ? 'terminated' : 'exited'
  const reason = error !== undefined ? 'lost' : end.signal !== undefined ? 'killed' : peaceful
  return { reason, exitCode: end.exitCode, signal: end.signal, stderrTail: facts.stderrTail, error }
}

/** The error for whoever waited on a gateway that has ended; a fresh one each time, so that its stack is the caller's. */
export function closedError(name: string, end: GatewayEnd): GatewayClosedError {
  const { exitCode, signal, stderrTail, error } = end
  const said = lastLine(stderrTail)
  const detail =
    error === undefined
      ? `${end.reason === 'terminated' ? 'it was terminated' : 'its worker ended'}${howOf(end)}`
      : error.message
  const message = `gateway ${name} has ended: ${detail}${said === '' || end.reason === 'terminated' ? '' : `. stderr: ${JSON.stringify(said)}`}`
  return new GatewayClosedError(message, { exitCode, signal, stderrTail, cause: error })
}

/** The error of a gateway that never said hello. */
export function bootstrapError(
  name: string,
  end: GatewayEnd,
  facts: { readonly tried: readonly string[]; readonly noise: string },
): BootstrapError {
  const { exitCode, signal, stderrTail, error } = end
  const said = lastLine(stderrTail)
  const parts = [
    `gateway ${name}: ${error === undefined ? `the interpreter ended${howOf(end)} before it was ready` : causeText(error, facts.tried)}`,
    said === '' ? '' : ` stderr: ${JSON.stringify(said)}.`,
    facts.noise.trim() === '' ? '' : ` It printed ${JSON.stringify(facts.noise.trim().slice(-200))}.`,
  ]
  const message = `${parts[0]}.${parts[1]}${parts[2]} Tried: ${facts.tried.map(quoteWord).join(' ')}. ${hintFor(error)}`
  return new BootstrapError(message, {
    tried: facts.tried,
    noise: facts.noise,
    exitCode,
    signal,
    stderrTail,
    cause: error,
  })
}

/** The worker was there, but not what the spec asks for. */
export class SetupFault extends Error {
  constructor(detail: string) {
    super(`the worker could not be set up: ${detail}`)
  }
}

function hintFor(error: Error | undefined): string {
  if (error instanceof SetupFault) return 'Check the chdir= and nice= keys.'
  if (error instanceof TimeoutError) return 'Check the python= key, or raise timeout=.'
  if (error instanceof ProtocolError) return 'Find what else writes to the stdout of that command.'
  return 'Check the python= key.'
}

function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

function causeText(error: Error, tried: readonly string[]): string {
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return `the interpreter ${JSON.stringify(tried[0] ?? '')} does not exist`
  if (code === 'EACCES') return `the interpreter ${JSON.stringify(tried[0] ?? '')} may not be executed`
  return error.message.replace(/\.$/, '')
}

function howOf({ exitCode, signal }: GatewayEnd): string {
  if (signal !== undefined) return ` by ${signal}`
  return exitCode === undefined ? '' : ` with exit code ${exitCode}`
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}
