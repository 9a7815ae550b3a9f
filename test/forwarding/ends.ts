/** What stands at both ends of a forward: servers that do one thing, and clients that wait for everything. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A server of this process; `place` is its port, or its path. */
export class End implements AsyncDisposable {
  readonly sockets: Socket[] = []
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      this.sockets.push(socket)
      socket.on('error', () => undefined)
    })
  }

  /** Starts one that does this to each connection. */
  static async start(serve: (socket: Socket) => void, at: string | number = 0, host = '127.0.0.1'): Promise<End> {
    const server = createServer({ allowHalfOpen: true }, serve)
    const end = new End(server)
    server.listen(typeof at === 'string' ? { path: at } : { port: at, host })
    await once(server, 'listening')
    return end
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Sends back what comes, and ends when the other end does. */
export function echo(socket: Socket): void {
  socket.pipe(socket)
}

/** Connects to where a forward says that it listens. */
export async function dial(address: string): Promise<Socket> {
  const [, host = '', port] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(address) ?? []
  const socket = connect({
    allowHalfOpen: true,
    ...(port === undefined ? { path: address } : { host, port: Number(port) }),
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Sends bytes and the end of them, and gives all that comes back until the other end has ended, too. */
export async function exchange(address: string, bytes: Uint8Array | string): Promise<Buffer> {
  const socket = await dial(address)
  socket.end(bytes)
  return all(socket)
}

/** Waits until a connection is over, however it ended. */
export function over(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.resume().once('end', () => socket.end())
  })
}

/** All that comes until the end; the socket can still send. */
export async function all(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer) // a socket without an encoding gives buffers
  return Buffer.concat(chunks)
}
