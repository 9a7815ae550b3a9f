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
  #hasEnded = false

  constructor(stream: Duplex, options: StreamOptions) {
    this.remoteAddress = options.address
    this.#stream = stream
    this.#options = options
    stream.on('error', (error: Error) => {
      this.#error ??= error
    })
    stream.once('close', () => this.#end())
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#stream.on('drain', () => events.onDrain())
    // The far end is one process: when it sends no more, it is gone.
    this.#stream.once('end', () => this.#stream.destroy())
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
    try {
      await this.#options.preamble?.()
      this.#stream.on('data', (chunk: Uint8Array) => events.onChunk(chunk))
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error))
      this.#stream.destroy()
    }
    if (this.#stream.destroyed) this.#end()
  }

  #end(): void {
    if (this.#hasEnded || this.#events === undefined) return
    this.#hasEnded = true
    this.#options.keepAlive(false)
    const { address } = this.#options
    this.#events.onEnd({ error: this.#error ?? new LinkClosed(`${address} closed the connection`) })
  }
}
