import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageLimits, streamOf } from './stream.js'

/**
 * Opens the WebSocket that an HTTP request asks for, as a stream of bytes.
 *
 * @throws When the request is none for a WebSocket; it has been answered then.
 */
export async function acceptWebSocket(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<Duplex> {
  const { createWebSocketStream, WebSocketServer } = await import('ws')
  const options = { noServer: true, clientTracking: false, perMessageDeflate: false, ...messageLimits }
  const server = new WebSocketServer(options)
  return new Promise((resolve, reject) => {
    server.once('wsClientError', reject)
    connection.once('close', () => reject(new Error('it hung up')))
    server.handleUpgrade(request, connection, head, (socket) =>
      resolve(streamOf(socket, connection, createWebSocketStream)),
    )
  })
}
