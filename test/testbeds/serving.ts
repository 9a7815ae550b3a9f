/** A server of Node's that does as a test says, on a free port of loopback. */
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'

/** A server that listens. */
export interface Serving extends AsyncDisposable {
  readonly port: number
  /** Breaks all connections. */
  cut(): void
}

/** Has it listen, and end with all its connections when the test ends. */
export async function serving(server: Server): Promise<Serving> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const stop = async (): Promise<void> => {
    cut()
    server.close()
    await once(server, 'close')
  }
  return { port: typeof bound === 'object' && bound !== null ? bound.port : 0, cut, [Symbol.asyncDispose]: stop }
}
