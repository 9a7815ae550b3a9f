/** The stream on which SSH is spoken to a host: a TCP connection, the stdio of a ProxyCommand, or a channel through the hosts of ProxyJump. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { Duplex, PassThrough } from 'node:stream'
import { sleep, Timer } from '../../../timer.js'
import { ConnectFault, type Connecting } from '../../../transports/connecting.js'
import { environmentForOthers } from '../../../transports/environment.js'
import type { Origin } from '../../../transports/origin.js'
import { unlessAborted } from '../../../transports/unless-aborted.js'
import type { ResolvedHost } from './host.js'
import { tcpFault, unreachable, wordsOfCommand } from './unreachable.js'

/** A stream to a host's SSH server, which owns all that it leads through. */
export interface Hop {
  readonly stream: Duplex
  /** Whether it is known, before a byte has come, that somebody is at its other end. */
  readonly isAnswered: boolean
  /** Whether it keeps this process alive. */
  keepAlive(isWanted: boolean): void
  /** Ends it with all that it leads through. Idempotent. */
  close(): void
  /** What else is known of why it ended, such as what a ProxyCommand wrote to stderr; often nothing. */
  lastWords(): string
}

/** A host that others are reached through. */
export interface JumpHost {
  forward(hostname: string, port: number): Promise<Duplex>
  /** Why the connection to it ended, if it has. */
  readonly fault: Error | undefined
  keepAlive(isWanted: boolean): void
  /** Ends it at once, with the way to it. */
  abandon(): void
}

/** Logs in to a jump host over a stream. */
export type ConnectJumpHost = (host: ResolvedHost, hop: Hop, connecting: Connecting) => Promise<JumpHost>

/** How hops are made. */
export interface HopOptions {
  /** Where the first one begins. */
  readonly origin: Origin
  readonly connectJumpHost: ConnectJumpHost
}

const LINGER_MS = 250
// As ssh.
const BETWEEN_ATTEMPTS_MS = 1000

/**
 * Opens the stream that the host's configuration asks for.
 *
 * @throws ConnectFault in phase `resolve` or `connect`, or what a jump host refused, which names it.
 */
export function openHop(host: ResolvedHost, connecting: Connecting, options: HopOptions): Promise<Hop> {
  const { jumpHost, proxyCommand } = host
  if (jumpHost !== undefined) return openThrough(jumpHost, host, connecting, options)
  if (proxyCommand === undefined) return openTcp(host, connecting, options.origin)
  const { carrier } = options.origin
  if (carrier === undefined) return openCommand(host, proxyCommand, connecting)
  throw unreachable(
    'connect',
    `${host.destination} has a ProxyCommand, which begins on this machine, and not where via=${carrier} does. Leave one of them away: "ssh_config=none" reads no configuration`,
  )
}

async function openThrough(
  jumpHost: ResolvedHost,
  { hostname, port }: ResolvedHost,
  connecting: Connecting,
  options: HopOptions,
): Promise<Hop> {
  const jump = await options.connectJumpHost(jumpHost, await openHop(jumpHost, connecting, options), connecting)
  try {
    connecting.enter('connect', `${hostname} port ${port}`)
    return hopThrough(jump, await unlessAborted(jump.forward(hostname, port), connecting.signal))
  } catch (error) {
    jump.abandon()
    throw error
  }
}

/** The jump host does with the way to it what is done with this one. */
function hopThrough(jumpHost: JumpHost, stream: Duplex): Hop {
  return {
    stream,
    isAnswered: true,
    keepAlive: (isWanted) => jumpHost.keepAlive(isWanted),
    close: () => jumpHost.abandon(),
    lastWords: () => jumpHost.fault?.message ?? '',
  }
}

async function openTcp(host: ResolvedHost, connecting: Connecting, origin: Origin): Promise<Hop> {
  const { hostname, port, addressFamily, bindAddress, connectTimeout } = host
  const { signal } = connecting
  const family = { any: undefined, inet: 4, inet6: 6 } as const
  const onFound = (): void => connecting.enter('connect', `${hostname} port ${port}`)
  const timeoutMs = connectTimeout === undefined ? undefined : connectTimeout * 1000
  const options = { hostname, port, family: family[addressFamily], bindAddress, timeoutMs, onFound }
  const { stream, keepAlive } = await attempted(host.connectionAttempts, signal, () =>
    origin.connect(options, signal).catch((error: unknown) => {
      throw signal.aborted || !(error instanceof Error) ? error : tcpFault(host, error)
    }),
  )
  return {
    stream,
    isAnswered: true,
    keepAlive,
    close: () => void stream.destroy(),
    lastWords: () => '',
  }
}

/** A name that was not found is not looked for again. */
async function attempted<T>(attempts: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (attempts <= 1 || !(error instanceof ConnectFault) || error.phase !== 'connect') throw error
    await unlessAborted(sleep(BETWEEN_ATTEMPTS_MS), signal)
    return attempted(attempts - 1, signal, attempt)
  }
}

function openCommand(host: ResolvedHost, command: string, connecting: Connecting): Promise<Hop> {
  connecting.enter('connect', `ProxyCommand ${command}`)
  connecting.signal.throwIfAborted()
  const shell = process.env['SHELL'] ?? '/bin/sh'
  const child = spawn(shell, ['-c', `exec ${command}`], {
    stdio: 'pipe',
    env: environmentForOthers(),
    detached: process.platform !== 'win32',
  })
  const { stdin, stdout, stderr } = child
  let said = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000)
  })
  // The stream ends when it is known what the command said of its end; a process that it forked may hold stderr open.
  const readable = new PassThrough()
  stdout.pipe(readable, { end: false }).once('unpipe', () => {
    if (stderr.readableEnded) readable.end()
    else {
      const late = new Timer(LINGER_MS, () => readable.end())
      stderr.once('end', () => {
        late.stop()
        readable.end()
      })
    }
  })
  // What a command that has gone takes no more must not end the stream ahead of that.
  const writable = new PassThrough()
  writable.pipe(stdin)
  const stream = Duplex.from({ readable, writable })
  for (const each of [stream, readable, writable, stdin, stdout, stderr]) each.on('error', () => undefined)
  const close = (): void => {
    killGroup(child)
    stream.destroy()
  }
  // A command that cannot be started, or ends at once, is told by the stream's end and by its last words.
  child.on('error', (error) => {
    said = error.message
    stream.destroy()
  })
  return Promise.resolve({
    stream,
    isAnswered: false,
    keepAlive: (isWanted) => {
      const verb = isWanted ? 'ref' : 'unref'
      child[verb]()
      for (const each of [stdin, stdout, stderr])
        if (verb in each) (each as unknown as { ref(): void; unref(): void })[verb]() // sockets at run time
    },
    close,
    lastWords: () => wordsOfCommand(host, said),
  })
}

function killGroup(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    if (process.platform === 'win32') child.kill()
    else process.kill(-child.pid, 'SIGTERM')
  } catch {
    child.kill() // it has no group of its own any more
  }
}
