/** A WebSocket over a connection that is there, as a stream of bytes. */
import { type ClientRequest, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { messageLimits, streamOf } from './stream.js'

/** What a WebSocket is opened with. */
export interface WebSocketOptions {
  /** The path and query of its URL. */
  readonly path: string
  /** The host, with the port if that is not the usual one. */
  readonly host: string
  /** Whether somebody between could read what is sent: it is masked with keys that cannot be foreseen then. */
  readonly isExposed: boolean
}

/** The other side answered, but not as a WebSocket server does. */
export class UpgradeFault extends Error {
  /** The status of its HTTP answer, when it gave one. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

/**
 * Opens it. Its errors are listened to for good.
 *
 * @param stream - Closed with the WebSocket, and when it cannot be opened.
 * @throws {@link UpgradeFault}; the reason of `signal`.
 */
export async function openWebSocket(stream: Duplex, options: WebSocketOptions, signal: AbortSignal): Promise<Duplex> {
  const { createWebSocketStream, WebSocket: Client } = await import('ws')
  signal.throwIfAborted()
  const socket = new Client(`ws://${options.host}${options.path}`, {
    createConnection: (() => stream) as unknown as typeof createConnection, // any duplex stream will do
    perMessageDeflate: false,
    followRedirects: false,
    ...messageLimits,
    // Masks keep what a web page chose from being taken for HTTP on its way (RFC 6455 section 10.3). Where nobody is on the way, or
    // nobody can read, a key of zeros does as well, and saves both sides from touching every byte.
    ...(options.isExposed ? {} : { generateMask: (mask: Buffer) => void mask.fill(0) }),
  })
  const duplex = streamOf(socket, stream, createWebSocketStream)
  await opened(socket, signal)
  return duplex
}

function opened(socket: WebSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      socket.off('unexpected-response', onAnswer).off('error', onError)
      done()
    }
    const fail = (error: unknown): void =>
      settle(() => {
        reject(error)
        socket.terminate()
      })
    const onAbort = (): void => fail(signal.reason)
    const onError = (error: Error): void => fail(new UpgradeFault(wordsFor(error)))
    const onAnswer = (_: ClientRequest, answer: IncomingMessage): void => fail(answerFault(answer))
    socket.once('open', () => settle(resolve))
    socket.on('unexpected-response', onAnswer).on('error', onError)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

function answerFault({ statusCode = 0, headers: { location } }: IncomingMessage): UpgradeFault {
  const name = STATUS_CODES[statusCode] ?? ''
  return new UpgradeFault(
    `it answered ${`${statusCode} ${name}`.trim()}${location ? `, to ${location}` : ''}`,
    statusCode,
  )
}

function wordsFor(error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  if (code.startsWith('HPE_')) return `it does not speak HTTP (${error.message})`
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'it hung up' : `it said something wrong (${error.message})`
}
