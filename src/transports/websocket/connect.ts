/** A WebSocket over a connection that is there, as a stream of bytes. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

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
export class UpgradeFault extends Error {}

// A frame of ours and its header; a message is never more than that.
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024
// What proxies cut is idle for a minute mostly; who does not answer three times is gone.
const PING_MS = 15_000
const MAX_UNANSWERED = 3

/**
 * Opens it. Its errors are listened to for good.
 *
 * @param stream - Closed with the WebSocket, and when it cannot be opened.
 * @throws {@link UpgradeFault}; the system's error; the reason of `signal`.
 */
export async function openWebSocket(stream: Duplex, options: WebSocketOptions, signal: AbortSignal): Promise<Duplex> {
  const { createWebSocketStream, WebSocket: Client } = await import('ws')
  signal.throwIfAborted()
  const socket = new Client(`ws://${options.host}${options.path}`, {
    createConnection: (() => stream) as unknown as typeof createConnection, // any duplex stream will do
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: 1024,
    // Masks keep what a web page chose from being taken for HTTP on its way (RFC 6455 section 10.3). Where nobody is on the way, or
    // nobody can read, a key of zeros does as well, and saves both sides from touching every byte.
    ...(options.isExposed ? {} : { generateMask: (mask: Buffer) => void mask.fill(0) }),
  })
  socket.on('error', () => undefined)
  await opened(socket, signal)
  keepOpen(socket)
  const duplex = createWebSocketStream(socket, { allowHalfOpen: true })
  duplex.on('error', () => undefined)
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
        socket.terminate()
        reject(error)
      })
    const onAbort = (): void => fail(signal.reason)
    const onError = (error: Error): void => fail('code' in error ? error : new UpgradeFault(error.message))
    const onAnswer = (_: ClientRequest, { statusCode, statusMessage }: IncomingMessage): void =>
      fail(new UpgradeFault(`it answered ${statusCode} ${statusMessage}`))
    socket.once('open', () => settle(resolve))
    socket.on('unexpected-response', onAnswer).on('error', onError)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

/** Proxies drop connections that are idle, and a peer that is gone says nothing. */
function keepOpen(socket: WebSocket): void {
  let unanswered = 0
  const timer = setInterval(() => {
    if (unanswered++ < MAX_UNANSWERED) socket.ping()
    else socket.terminate()
  }, PING_MS)
  timer.unref()
  socket.on('pong', () => {
    unanswered = 0
  })
  socket.once('close', () => clearInterval(timer))
}
