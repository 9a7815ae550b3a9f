/** A stream that is connected to a far end, as a transport: a socket, encrypted or not. */
import type { Duplex } from 'node:stream'
import { LinkClosed, type Transport, type TransportEvents } from './transport.js'

/** What is known of a stream beside its bytes. */
export interface StreamOptions {
  readonly address: string
  /** Whether it keeps this process alive. */
  keepAlive(isWanted: boolean): void
  /** Read before anything else: what stands ahead of the far end's first byte. What it throws is how the transport ends. */
  readonly preamble?: (() => Promise<void>) | undefined
}

/** Takes over a stream; its errors must have been listened to from the beginning. */
export function openStream(stream: Duplex, options: StreamOptions): Transport {
  return new StreamTransport(stream, options)
}

class StreamTransport implements Transport {
  readonly remoteAddress: string
  readonly #stream: Duplex
  readonly #options: StreamOptions
  #events: TransportEvents | undefined
  #error: Error | undefined
  #hasBegun = false
  #hasEnded = false

  constructor(stream: Duplex, options: StreamOptions) {
    this.remoteAddress = options.address
    this.#stream = stream
    this.#options = options
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // What a far end that leaves has not read any more becomes a reset: no other news than the end.
      const isBroken = error.code === 'ECONNRESET' || error.code === 'EPIPE'
      this.#error ??= isBroken ? new LinkClosed(`${options.address} broke the connection`, { cause: error }) : error
    })
    stream.once('close', () => this.#end())
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#stream.on('drain', () => events.onDrain())
    void this.#read(events)
  }

  write(chunks: readonly Uint8Array[]): boolean {
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded) return true
    let hasRoom = true
    stream.cork()
    for (const chunk of chunks) hasRoom = stream.write(chunk)
    stream.uncork()
    return hasRoom
  }

  endInput(): void {
    if (!this.#stream.destroyed) this.#stream.end()
  }

  /** There is no signal that could be sent: a worker whose connection is gone leaves, and its guard sees to that. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (signal === 'SIGKILL') this.#stream.destroy()
    else this.endInput()
  }

  keepAlive(isWanted: boolean): void {
    this.#options.keepAlive(isWanted)
  }

  async #read(events: TransportEvents): Promise<void> {
    const stream = this.#stream
    try {
      await this.#options.preamble?.()
      stream.on('data', (chunk: Uint8Array) => events.onChunk(chunk))
      // The far end is one process: when it sends no more, it is gone.
      if (stream.readableEnded) stream.destroy()
      else stream.once('end', () => stream.destroy())
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error))
      stream.destroy()
    }
    this.#hasBegun = true
    if (stream.destroyed) this.#end()
  }

  /** Not before the preamble has been read, or has failed, which tells more than the end of the stream. */
  #end(): void {
    if (this.#hasEnded || !this.#hasBegun || this.#events === undefined) return
    this.#hasEnded = true
    this.#options.keepAlive(false)
    const { address } = this.#options
    this.#events.onEnd({ error: this.#error ?? new LinkClosed(`${address} closed the connection`) })
  }
}
