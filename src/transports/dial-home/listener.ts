/**
 * Listens for workers that dial home: over TCP, TLS and WebSockets, all on one port. What they say first tells which; whoever asks
 * for a page gets the program that dials.
 */
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { asError } from '../../thrown.js'
import { Timer } from '../../timer.js'
import { Pace } from '../pace.js'
import { GREETING, HandshakeFault } from '../socket/handshake.js'
import { type StrangerLimits, Strangers } from '../strangers.js'
import { acceptWebSocket } from '../websocket/accept.js'
import type { LinkLayers } from '../websocket/link.js'
import { readWorkerFile } from '../worker-file.js'
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
  /** Of the pages that may come by WebSocket. */
  readonly origins: readonly string[]
  readonly strangers?: StrangerLimits | undefined
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

// A wrong proof is answered so late: who guesses has few guesses, and nobody else is kept waiting.
const GUESS_MS = 1000
const LINGER_MS = 1000

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
  readonly #strangers: Strangers
  readonly #server: Server
  readonly #http: HttpServer
  /** Speaks TLS with whoever is passed on to it. */
  readonly #encrypting: Server | undefined
  readonly #pace = new Pace()
  #isHearing = false
  #port = 0

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#strangers = new Strangers(options.strangers)
    const { tls } = options
    const program = readWorkerFile(dialFile)
    this.#encrypting = tls && createTlsServer(tls, (socket) => void this.#hear(socket))
    this.#server = createServer({ pauseOnConnect: tls !== undefined }, (socket) => this.#take(socket))
    this.#encrypting?.on('tlsClientError', (error: Error, socket: Socket) => {
      if (this.#strangers.of(socket) !== undefined) this.#refuse(socket, socket, tlsFault(error))
    })
    this.#http = createHttpServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/x-python', Connection: 'close' })
      response.end(request.method === 'GET' ? program : '')
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
    this.#strangers.cutAll()
  }

  /** Who is accepted is a stranger, also before there is any TLS. */
  #take(socket: Socket): void {
    const address = addressOf(socket)
    socket.on('error', () => undefined)
    const stranger = this.#strangers.add(socket)
    if (stranger === undefined) return void socket.destroy()
    socket.setNoDelay(true).setKeepAlive(true, 15_000)
    const { signal } = stranger
    signal.addEventListener('abort', () => this.#server.listening && this.#options.onRefusal(address, signal.reason))
    if (!this.#isHearing) void this.#hearAll()
  }

  /** What is done for one, TLS above all, takes longer than to be accepted and cut: in a flood those who wait make room before that. */
  async #hearAll(): Promise<void> {
    this.#isHearing = true
    for (let stranger = this.#strangers.next(); stranger !== undefined; stranger = this.#strangers.next()) {
      this.#pace.begin()
      if (this.#encrypting === undefined) void this.#hear(stranger.socket)
      else this.#encrypting.emit('connection', stranger.socket)
      if (this.#pace.end()) await this.#pace.break()
    }
    this.#isHearing = false
  }

  async #hear(socket: Socket): Promise<void> {
    socket.on('error', () => undefined)
    const first = await firstBytes(socket)
    if (first === undefined) return
    if (!first.toString('latin1').startsWith('TENDRIL')) return void this.#http.emit('connection', socket)
    await this.#welcome(socket, socket, this.#options.tls === undefined ? [] : ['tls'])
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    try {
      const stream = await acceptWebSocket(request, socket, head, this.#options.origins)
      await this.#welcome(stream, socket, this.#options.tls === undefined ? ['client'] : ['tls', 'client'])
    } catch (error) {
      this.#refuse(socket, socket, error)
    }
  }

  async #welcome(stream: Duplex, socket: Socket, layers: LinkLayers): Promise<void> {
    const stranger = this.#strangers.of(socket)
    if (stranger === undefined) return void socket.destroy()
    try {
      const visitor = await welcome(stream, this.#options.tokens, stranger.signal)
      this.#strangers.letIn(stranger)
      const address = `${visitor.hostname} (${addressOf(socket)})`
      const keepAlive = (isWanted: boolean): void => void socket[isWanted ? 'ref' : 'unref']()
      this.#options.onArrival({ ...visitor, stream, layers, address, keepAlive })
    } catch (error) {
      if (!stranger.signal.aborted) this.#refuse(stream, socket, error)
    }
  }

  /** It keeps its place until it has been answered. */
  #refuse(stream: Duplex, socket: Socket, error: unknown): void {
    this.#options.onRefusal(addressOf(socket), asError(error))
    if (stream.destroyed) return void socket.destroy()
    const isGuess = error instanceof HandshakeFault && error.kind === 'proof'
    new Timer(isGuess ? GUESS_MS : 0, () => {
      stream.end(`${GREETING}refused\n`)
      new Timer(LINGER_MS, () => socket.destroy()).unref()
    }).unref()
  }
}

/** OpenSSL's text has a line end, and places in its source; `reason` is what it says in words. */
function tlsFault(error: Error & { readonly reason?: string }): HandshakeFault {
  return new HandshakeFault('protocol', `TLS did not come about: ${error.reason ?? error.message}`)
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
