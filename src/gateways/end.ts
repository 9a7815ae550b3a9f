/** How gateways end, in data and in words: what `closed` resolves to and the errors that everybody who waits gets. */
import {
  BootstrapError,
  GatewayClosedError,
  HostNotFoundError,
  type Phase,
  ProtocolError,
  type TendrilError,
  TimeoutError,
} from '../errors.js'
import { onOneLine } from '../one-line.js'
import { ConnectFault } from '../transports/connecting.js'
import { quoteWord } from '../transports/shell-words.js'
import { faultText, meansUnreachable } from '../transports/system-faults.js'
import { LinkClosed, type TransportEnd, Unconfirmed } from '../transports/transport.js'

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

/** What a gateway knows of its end beside what the transport says. */
export interface EndFacts {
  readonly wasReady: boolean
  readonly wasAsked: boolean
  /** It was ended on its way to a worker: that the way broke off is no news then. */
  readonly wasGivenUp: boolean
  readonly stderrTail: string
  readonly fault: Error | undefined
}

/** Puts together how it ended. */
export function gatewayEnd(name: string, end: TransportEnd, facts: EndFacts): GatewayEnd {
  const isOurDoing = facts.wasAsked && facts.wasGivenUp
  const isUnknown = end.error instanceof Unconfirmed
  const isNoNews = !isUnknown && (isOurDoing || (facts.wasAsked && end.error instanceof LinkClosed))
  const fault = facts.fault ?? (isNoNews ? undefined : end.error)
  const error = fault instanceof ConnectFault && !facts.wasReady ? fault.errorFor(name) : fault
  const peaceful = facts.wasAsked ? 'terminated' : 'exited'
  const isKilled = end.signal !== undefined && !isOurDoing
  const reason = error !== undefined ? 'lost' : isKilled ? 'killed' : peaceful
  return { reason, exitCode: end.exitCode, signal: end.signal, stderrTail: facts.stderrTail, error }
}

/** The error for whoever waited on a gateway that has ended; a fresh one each time, so that its stack is the caller's. */
export function closedError(name: string, end: GatewayEnd, cause: Error | undefined = end.error): GatewayClosedError {
  const { exitCode, signal, stderrTail, error } = end
  const said = lastLine(stderrTail)
  const detail =
    error === undefined
      ? `${end.reason === 'terminated' ? 'it was terminated' : 'its worker ended'}${howOf(end)}`
      : faultText(error)
  const message = `gateway ${name} has ended: ${detail}${said === '' || end.reason === 'terminated' ? '' : `. stderr: ${JSON.stringify(said)}`}`
  return new GatewayClosedError(message, { exitCode, signal, stderrTail, cause })
}

/** What is known of a way that did not lead to a worker. */
export interface OpeningFacts {
  readonly tried: readonly string[]
  /** What came before the worker's first word. */
  readonly noise: string
  readonly phase: Phase | undefined
  readonly fault: Error | undefined
}

/** The error of a gateway that never said hello, of the class that its fault asks for. */
export function openingError(name: string, end: GatewayEnd, facts: OpeningFacts): TendrilError {
  const { exitCode, signal, stderrTail, error } = end
  const { tried, noise, phase = 'python', fault } = facts
  if (fault instanceof ConnectFault) return fault.errorFor(name)
  if (error !== undefined && meansUnreachable(error) && (phase === 'resolve' || phase === 'connect')) {
    return new HostNotFoundError(`gateway ${name}: ${faultText(error)}. ${unreachableHint}`, { phase, cause: error })
  }
  const said = lastLine(stderrTail)
  const parts = [
    `gateway ${name}: ${phase === 'python' ? startText(end, tried) : wayText(end, phase)}.`,
    said === '' ? '' : `stderr: ${JSON.stringify(said)}.`,
    noise.trim() === '' ? '' : `It printed ${JSON.stringify(noise.trim().slice(-200))}.`,
    phase === 'python' ? `Tried: ${onOneLine(tried.map(quoteWord).join(' '))}. ${hintFor(end)}` : wayHint,
  ]
  const message = parts.filter((part) => part !== '').join(' ')
  return new BootstrapError(message, { tried, noise, phase, exitCode, signal, stderrTail, cause: error })
}

const wayHint = 'See how far it comes with `tendril doctor`, and with `ssh -v` for a host'
const unreachableHint = 'Check its name, its address and its port, that it is up, and that no firewall is between'

// What it means that the time was up in a phase, and what to do; `python` has more to say, and says it in `openingError`.
const stuck: Partial<Record<Phase, (detail: string) => string>> = {
  resolve: (host) =>
    `looking up ${host || 'the host'} took longer than the timeout. Look in its ssh configuration for a command that hangs (Match exec), and at the name server`,
  connect: (address) => `${address || 'the host'} did not answer. ${unreachableHint}`,
  'host key': (address) =>
    `${address || 'the host'} took the connection, but showed no host key. Check that an SSH server listens on that port, and that it is not overloaded`,
  authenticate: (user) =>
    `the login${user && ` (${user})`} came to no end. Check that the agent answers (ssh-add -l) and what \`ssh -v\` says about that host`,
  channel: (address) =>
    `the login succeeded, but the host opened no session${address && ` (${address})`}. Check MaxSessions and the load of that host`,
}

/** Where a gateway was on its way when the time was up. */
export interface StuckAt {
  readonly phase: Phase | undefined
  readonly detail: string | undefined
  /** What that means, when the kind of gateway has said so. */
  readonly stuck: string | undefined
}

/** That the connect timeout was over in a phase. */
export function timeoutFault({ phase, detail, stuck: said }: StuckAt, timeoutMs: number): Error {
  const seconds = `${timeoutMs / 1000} s (key timeout=)`
  const text = said ?? (phase && stuck[phase]?.(detail ?? ''))
  if (phase === undefined || text === undefined) return new TimeoutError(`the worker did not answer for ${seconds}`)
  const isUnreachable = phase === 'resolve' || phase === 'connect'
  return new ConnectFault(phase, `no worker within ${seconds}: ${text}, or raise timeout=`, (message) =>
    isUnreachable ? new HostNotFoundError(message, { phase }) : new BootstrapError(message, { phase }),
  )
}

/** There is nothing that an interpreter could become a worker by. */
export function startFault(cause: Error): ConnectFault {
  return new ConnectFault('python', cause.message, (message) => new BootstrapError(message, { phase: 'python', cause }))
}

/** The worker was there, but not what the spec asks for. */
export class SetupFault extends Error {
  constructor(detail: string) {
    super(`the worker could not be set up: ${detail}`)
  }
}

// Its stdin or stdout may be another one by then.
const silentHint = 'Check the python= key, and what runs there before the worker: a wrapper, a sitecustomize'

function hintFor({ error, exitCode, stderrTail }: GatewayEnd): string {
  if (error instanceof SetupFault) return 'Check the chdir= and nice= keys.'
  if (error instanceof TimeoutError)
    return `${stderrTail === '' ? silentHint : 'Check the python= key'}, or raise timeout=.`
  if (error instanceof ProtocolError) return 'Find what else writes to the stdout of that command.'
  if (error !== undefined && !isOfStart(error)) return `${wayHint}.`
  if (error !== undefined && 'code' in error && error.code === 'E2BIG')
    return 'Shorten env:NAME= or what the variables of this program have, or send it when the gateway is ready.'
  // What shells say when a command is not there, or may not be run.
  if (exitCode === 127 || exitCode === 126) return 'Choose an interpreter that is there: python=/path/to/python3.'
  return error === undefined && stderrTail === '' ? `${silentHint}.` : 'Check the python= key.'
}

/** Whether the command could not be started, here or beside a carrier; any other error is of the way to it. */
function isOfStart(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'EACCES' || ('syscall' in error && String(error.syscall).startsWith('spawn'))
}

function startText(end: GatewayEnd, tried: readonly string[]): string {
  const { error } = end
  if (error === undefined) return `the interpreter ended${howOf(end)} before it was ready`
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return `the interpreter ${JSON.stringify(tried[0] ?? '')} does not exist`
  if (code === 'EACCES') return `the interpreter ${JSON.stringify(tried[0] ?? '')} may not be executed`
  return faultText(error)
}

function wayText(end: GatewayEnd, phase: Phase): string {
  return `${end.error === undefined ? `the connection ended${howOf(end)}` : faultText(end.error)}, in phase "${phase}"`
}

function howOf({ exitCode, signal }: GatewayEnd): string {
  if (signal !== undefined) return ` by ${signal}`
  return exitCode === undefined ? '' : ` with exit code ${exitCode}`
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}
