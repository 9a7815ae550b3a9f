/** A WebSocket as a stream of bytes: each write is a message; how what arrives was cut into messages means nothing. */
import type { Duplex } from 'node:stream'
import type { createWebSocketStream, WebSocket } from 'ws'
import { Timer } from '../../timer.js'

/** The other side broke a rule while the WebSocket was open. */
export class MessageFault extends Error {}

/**
 * What either side takes of the other: a frame of ours with its header is never more, nor in more pieces. Who is told that it is over
 * has two seconds for its answer.
 */
export const messageLimits: {
  readonly maxPayload: number
  readonly maxFragments: number
  readonly closeTimeout: number
} = {
  maxPayload: 2 * 1024 * 1024,
  maxFragments: 1024,
  closeTimeout: 2000,
}

// What proxies cut is idle for a minute mostly; who does not answer three times is gone.
const PING_MS = 15_000
const MAX_UNANSWERED = 3

/**
 * The stream of a WebSocket that is open, or is about to be. Its errors are listened to for good.
 *
 * @param connection - What it is spoken over.
 * @param make - `createWebSocketStream` of ws, which is loaded when it is first needed.
 * @returns What it ends with is a {@link MessageFault}, if anything.
 */
export function streamOf(socket: WebSocket, connection: Duplex, make: typeof createWebSocketStream): Duplex {
  // Before the stream's own listener, which would wait for a closing handshake that may never be answered.
  socket.on('error', (error) =>
    duplex.destroy(new MessageFault(`the other side broke a rule of WebSockets (${error.message})`)),
  )
  const duplex = make(socket, { allowHalfOpen: true })
  duplex.on('error', () => undefined)
  socket.on('message', (_, isBinary) => {
    if (!isBinary) duplex.destroy(new MessageFault('the other side sent a message of text, where all are binary'))
  })
  const onOpen = (): void => {
    keepOpen(socket, duplex)
    // The far end is one process: when it sends no more it is gone, and takes nothing of what may still wait to be written.
    connection.once('end', () => socket.terminate())
  }
  if (socket.readyState === socket.OPEN) onOpen()
  else socket.once('open', onOpen)
  return duplex
}

/** Proxies drop connections that are idle, and a peer that is gone says nothing. */
function keepOpen(socket: WebSocket, duplex: Duplex): void {
  let unanswered = 0
  const timer = new Timer(PING_MS, () => {
    timer.restart()
    if (unanswered++ < MAX_UNANSWERED) return socket.ping()
    duplex.destroy(new MessageFault(`the other side has not answered for ${(unanswered * PING_MS) / 1000} s`))
  }).unref()
  socket.on('pong', () => {
    unanswered = 0
  })
  socket.once('close', () => timer.stop())
}
