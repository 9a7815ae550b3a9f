import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageLimits, streamOf } from './stream.js'

/**
 * Opens the WebSocket that an HTTP request asks for, as a stream of bytes.
 *
 * @param origins - Those of the pages that may come. Browsers connect for every page, and tell whose it is.
 * @throws When the request is none for a WebSocket, or comes from another page; it has been answered then.
 */
export async function acceptWebSocket(
  request: IncomingMessage,
  connection: Duplex,
  head: Buffer,
  origins: readonly string[],
): Promise<Duplex> {
  const { origin } = request.headers
  if (origin !== undefined && !origins.includes(origin)) {
    connection.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    throw new Error(`it is a page of ${JSON.stringify(origin)}, and no origin of ours`)
  }
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
