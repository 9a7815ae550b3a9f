/** A stream that is connected to a far end, as a transport: a socket, encrypted or not. */
import type { Duplex } from 'node:stream'
import { asError } from '../thrown.js'
import { Timer } from '../timer.js'
import { readPaced } from './pace.js'
import { LinkClosed, type Transport, type TransportEvents, Unconfirmed } from './transport.js'

const CONFIRM_MS = 1000

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
  #confirmation: Timer | undefined
  #isHeard = false
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

  /**
   * There is no signal that could be sent: a worker whose connection is gone leaves, and its guard sees to that. Our end says so, and is
   * answered by that of the connection; behind bytes that nobody takes it would not arrive, but a reset does.
   */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    const stream = this.#stream
    if (stream.destroyed) return
    this.endInput()
    if (signal !== 'SIGKILL') return
    if (!this.#isHeard) return void stream.destroy()
    this.#confirmation ??= new Timer(stream.writableLength === 0 ? CONFIRM_MS : 0, () => {
      const text = `${this.remoteAddress} did not confirm that the worker ended: what became of it cannot be told from here`
      this.#error ??= new Unconfirmed(text)
      stream.destroy()
    })
  }

  keepAlive(isWanted: boolean): void {
    this.#options.keepAlive(isWanted)
    this.#confirmation?.[isWanted ? 'ref' : 'unref']()
  }

  async #read(events: TransportEvents): Promise<void> {
    const stream = this.#stream
    try {
      await this.#options.preamble?.()
      readPaced(stream, (chunk) => {
        this.#isHeard = true
        events.onChunk(chunk)
      })
      // The far end is one process: when it sends no more, it is gone.
      if (stream.readableEnded) stream.destroy()
      else stream.once('end', () => stream.destroy())
    } catch (error) {
      this.#error = asError(error)
      stream.destroy()
    }
    this.#hasBegun = true
    if (stream.destroyed) this.#end()
  }

  /** Not before the preamble has been read, or has failed, which tells more than the end of the stream. */
  #end(): void {
    if (this.#hasEnded || !this.#hasBegun || this.#events === undefined) return
    this.#hasEnded = true
    this.#confirmation?.stop()
    this.#options.keepAlive(false)
    const { address } = this.#options
    this.#events.onEnd({ error: this.#error ?? new LinkClosed(`${address} closed the connection`) })
  }
}
