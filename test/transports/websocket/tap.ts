/**
 * Stands between a WebSocket client and its server, sees every frame, and changes what it likes: what one side says is passed on
 * frame by frame, behind the HTTP of the opening handshake.
 */
import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { encodeFrame, type Frame, FrameParser } from './frames.js'

/** What becomes of a frame of the client's, in chunks; the server gets each as one write. */
export type Rewrite = (frame: Frame) => readonly Uint8Array[]

export class Tap implements AsyncDisposable {
  /** All that the server has said. */
  readonly heard: Frame[] = []
  /** What the frames of the client's become; as they are when absent. */
  rewrite: Rewrite | undefined
  /** What has been said against the rules. */
  complaint: unknown
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()
  #server: Socket | undefined
  #client: Socket | undefined
  #onHeard: (() => void)[] = []

  private constructor(target: number) {
    this.#listener = createServer((client) => this.#join(client, createConnection({ host: '127.0.0.1', port: target })))
  }

  /** @param target - The port of the server, on this machine. */
  static async before(target: number): Promise<Tap> {
    const tap = new Tap(target)
    tap.#listener.listen(0, '127.0.0.1')
    await once(tap.#listener, 'listening')
    return tap
  }

  get port(): number {
    const address = this.#listener.address()
    return typeof address === 'object' ? (address?.port ?? 0) : 0
  }

  /** Says something to the server, between two frames of the client's. */
  say(bytes: Uint8Array): void {
    this.#server?.write(bytes)
  }

  /** Says something to the client, between two frames of the server's. */
  tell(bytes: Uint8Array): void {
    this.#client?.write(bytes)
  }

  /** Breaks the connection, on both sides. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Waits until a frame of the server's is so, of those that came and will come. */
  async hears(isSo: (frame: Frame) => boolean): Promise<Frame> {
    while (true) {
      const frame = this.heard.find(isSo)
      if (frame !== undefined) return frame
      await new Promise<void>((resolve) => this.#onHeard.push(resolve))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#listener.close()
    await once(this.#listener, 'close')
  }

  #join(client: Socket, server: Socket): void {
    this.#server = server
    this.#client = client
    const pairs = [
      [client, server],
      [server, client],
    ] as const
    for (const [one, other] of pairs) {
      this.#sockets.add(one)
      one.setNoDelay(true)
      one.on('error', () => other.destroy())
      one.on('end', () => other.end())
    }
    client.once('close', () => server.destroy()) // which may not take what is left
    server.once('close', () => client.end())
    passOn(
      client,
      (frame) => {
        for (const chunk of this.rewrite?.(frame) ?? [encodeFrame(frame.payload, frame)]) server.write(chunk)
      },
      (head) => server.write(head),
    )
    passOn(
      server,
      (frame) => {
        this.heard.push(frame)
        for (const resolve of this.#onHeard.splice(0)) resolve()
        client.write(encodeFrame(frame.payload, frame))
      },
      (head) => client.write(head),
      (error) => {
        this.complaint ??= error
        client.destroy()
      },
    )
  }
}

function passOn(
  from: Socket,
  onFrame: (frame: Frame) => void,
  onHead: (head: Buffer) => void,
  onComplaint: (error: unknown) => void = () => from.destroy(),
): void {
  const parser = new FrameParser()
  let head: Buffer<ArrayBufferLike> | undefined = Buffer.alloc(0)
  from.on('data', (chunk) => {
    let bytes: Buffer<ArrayBufferLike> = chunk
    if (head !== undefined) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      bytes = head.subarray(end + 4)
      onHead(head.subarray(0, end + 4))
      head = undefined
    }
    try {
      for (const frame of parser.push(bytes)) onFrame(frame)
    } catch (error) {
      onComplaint(error)
    }
  })
}
