/** A TCP connection, made with everything that a gateway wants of one. */
import { createConnection, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { Timer } from '../timer.js'

// What a dead host is noticed by when nothing is sent: the defaults of systems are hours.
const PROBE_AFTER_MS = 15_000

/** Where to, and how. */
export interface TcpOptions {
  readonly hostname: string
  readonly port: number
  /** 4 or 6; both are tried, a moment apart, when absent. */
  readonly family?: 4 | 6 | undefined
  readonly bindAddress?: string | undefined
  /** Fails with ETIMEDOUT after so long. */
  readonly timeoutMs?: number | undefined
  /** Called when the name has been found, or was an address. */
  onFound?(): void
}

/** A connection that is there. Errors of its stream are listened to for good: one that nobody listens to ends the process. */
export interface Connected {
  readonly stream: Duplex
  /** Whether it keeps this process alive. */
  keepAlive(isWanted: boolean): void
}

/**
 * Connects.
 *
 * @throws The system's error, with its `code`; whatever `signal` was aborted with.
 */
export type ConnectTcp = (options: TcpOptions, signal: AbortSignal) => Promise<Connected>

/** Connects from this machine. */
export const connectTcp: ConnectTcp = (options, signal) => {
  const { hostname, port, family, bindAddress, timeoutMs } = options
  if (isIP(hostname) !== 0) options.onFound?.()
  return new Promise((resolve, reject) => {
    const socket = createConnection({
      host: hostname,
      port,
      family: family ?? 0,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
      autoSelectFamily: true,
      ...(bindAddress === undefined ? {} : { localAddress: bindAddress }),
    })
    const settle = (): void => {
      timer?.stop()
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: unknown): void => {
      settle()
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(signal.reason)
    const late = (): void =>
      fail(Object.assign(new Error(`${hostname} port ${port} does not answer`), { code: 'ETIMEDOUT' }))
    const timer = timeoutMs === undefined ? undefined : new Timer(timeoutMs, late)
    socket.on('error', fail)
    socket.once('lookup', (error) => {
      if (!error) options.onFound?.()
    })
    socket.once('connect', () => {
      settle()
      resolve({ stream: socket, keepAlive: (isWanted) => void socket[isWanted ? 'ref' : 'unref']() })
    })
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}
