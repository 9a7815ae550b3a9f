/**
 * Listens for workers that dial home: over TCP, TLS and WebSockets, all on one port. What they say first tells which; whoever asks
 * for a page gets the program that dials.
 */
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { acceptWebSocket } from '../websocket/accept.js'
import type { LinkLayers } from '../websocket/link.js'
import { dialFile } from './dial-file.js'
import { type TokenBook, type Visitor, welcome } from './handshake.js'

/** How to listen. */
export interface ListenerOptions {
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  /** Certificate and key, when what is said is to be encrypted. */
  readonly tls?: TlsOptions | undefined
  readonly tokens: TokenBook
  /** Somebody has come, and proved to know a token. */
  onArrival(arrival: Arrival): void
  /** Somebody was turned away, or left. */
  onRefusal(address: string, reason: Error): void
}

/** A worker to be. */
export interface Arrival extends Visitor {
  readonly stream: Duplex
  /** Where it is, for people. */
  readonly address: string
  /** What lies between the stream and what it sees. */
  readonly layers: LinkLayers
  keepAlive(isWanted: boolean): void
}

/** Listens until it is closed. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** Takes nobody in any more; those who are on the way are cut. */
  close(): void
}

const HANDSHAKE_MS = 10_000
// All who come at once get their turn; those beyond are cut at once, before they cost anything.
const MAX_PENDING = 512

/**
 * Starts to listen.
 *
 * @throws The system's error, with its `code`.
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const listening = new ListeningServer(options)
  await listening.start()
  return listening
}

class ListeningServer implements Listener {
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #http: HttpServer
  readonly #pending = new Set<Socket>()
  #port = 0

  constructor(options: ListenerOptions) {
    this.#options = options
    const { tls } = options
    const onConnection = (socket: Socket): void => void this.#take(socket)
    this.#server = tls === undefined ? createServer(onConnection) : createTlsServer(tls, onConnection)
    this.#server.on('tlsClientError', (error: Error, socket: Socket) => {
      options.onRefusal(addressOf(socket), error)
      socket.destroy()
    })
    this.#http = createHttpServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/x-python', Connection: 'close' })
      response.end(request.method === 'GET' ? readFileSync(dialFile) : '')
    })
    this.#http.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket as Socket, head))
  }

  get host(): string {
    return this.#options.host
  }

  get port(): number {
    return this.#port
  }

  start(): Promise<void> {
    const { host, port } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject).on('error', () => undefined)
        const address = this.#server.address()
        this.#port = typeof address === 'object' && address !== null ? address.port : port
        resolve()
      })
    })
  }

  close(): void {
    this.#server.close() // no more are taken at once; its callback would wait for those who have been
    for (const socket of this.#pending) socket.destroy()
  }

  async #take(socket: Socket): Promise<void> {
    socket.on('error', () => undefined)
    if (this.#pending.size >= MAX_PENDING) return void socket.destroy()
    this.#pending.add(socket)
    socket.once('close', () => this.#pending.delete(socket))
    const late = setTimeout(() => socket.destroy(), HANDSHAKE_MS)
    socket.once('close', () => clearTimeout(late))
    socket.setNoDelay(true).setKeepAlive(true, 15_000)
    const first = await firstBytes(socket)
    if (first === undefined) return
    const layers = this.#options.tls === undefined ? [] : (['tls'] as const)
    if (first.toString('latin1').startsWith('TENDRIL')) {
      await this.#welcome(socket, socket, layers)
      return clearTimeout(late)
    }
    clearTimeout(late)
    this.#http.emit('connection', socket)
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const address = addressOf(socket)
    try {
      const stream = await acceptWebSocket(request, socket, head)
      const layers = this.#options.tls === undefined ? (['client'] as const) : (['tls', 'client'] as const)
      await this.#welcome(stream, socket, layers)
    } catch (error) {
      this.#refuse(socket, address, error)
    }
  }

  async #welcome(stream: Duplex, socket: Socket, layers: LinkLayers): Promise<void> {
    const patience = AbortSignal.timeout(HANDSHAKE_MS)
    const place = addressOf(socket)
    try {
      const visitor = await welcome(stream, this.#options.tokens, patience)
      this.#pending.delete(socket)
      const address = `${visitor.hostname} (${place})`
      const keepAlive = (isWanted: boolean): void => void socket[isWanted ? 'ref' : 'unref']()
      this.#options.onArrival({ ...visitor, stream, layers, address, keepAlive })
    } catch (error) {
      this.#refuse(socket, place, error, stream)
    }
  }

  #refuse(socket: Socket, address: string, error: unknown, stream?: Duplex): void {
    this.#options.onRefusal(address, error instanceof Error ? error : new Error(String(error)))
    if (stream === undefined || stream.destroyed) socket.destroy()
    else stream.end('TENDRIL 1 refused\n', () => setTimeout(() => socket.destroy(), 1000).unref())
  }
}

function firstBytes(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (chunk: Buffer | undefined): void => {
      socket.off('readable', onReadable).off('close', onClose).off('end', onClose)
      resolve(chunk)
    }
    const onClose = (): void => settle(undefined)
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read()
      if (chunk === null) return
      socket.unshift(chunk)
      settle(chunk)
    }
    socket.on('readable', onReadable).once('close', onClose).once('end', onClose)
  })
}

function addressOf({ remoteAddress = 'somebody', remotePort = 0 }: Socket): string {
  const host = remoteAddress.replace(/^::ffff:/, '')
  return host.includes(':') ? `[${host}]:${remotePort}` : `${host}:${remotePort}`
}
