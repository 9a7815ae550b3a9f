/** A connection that a carrier's worker has made, as a stream over a channel (twin: src/gateways/carriers/via_remote.py, which says what the items are). */
import { Duplex } from 'node:stream'
import type { Channel } from '../channels/channel.js'
import { EndOfChannelError } from '../errors.js'
import { said } from '../protocol/messages.js'
import type { Connected } from './tcp.js'

/**
 * Waits until the connection is there.
 *
 * @throws An error with the system's `code` when it cannot be made; the carrier's when that has ended; whatever `signal` was aborted with.
 */
export async function connectOverChannel<G>(
  channel: Channel<unknown, unknown, G>,
  signal: AbortSignal,
): Promise<Connected> {
  const onAbort = (): void => void channel.close()
  signal.addEventListener('abort', onAbort)
  try {
    const answer = await channel.receive()
    if (Array.isArray(answer)) throw Object.assign(new Error(said(answer[1])), { code: said(answer[0]) })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  const stream = streamOver(channel)
  return { stream, keepAlive: (isWanted) => stream.keepAlive(isWanted) }
}

/** A connection that is there, such as one that a worker has taken. Its errors are listened to for good. */
export function streamOver<G>(channel: Channel<unknown, unknown, G>): ChannelStream<G> {
  return new ChannelStream(channel)
}

class ChannelStream<G> extends Duplex {
  readonly #channel: Channel<unknown, unknown, G>
  #release: (() => void) | undefined
  #isReading = false

  constructor(channel: Channel<unknown, unknown, G>) {
    super({ emitClose: true })
    this.#channel = channel
    this.keepAlive(true)
    this.on('error', () => undefined) // one that nobody listens to ends the process
  }

  keepAlive(isWanted: boolean): void {
    if (isWanted) {
      this.#release ??= this.#channel.hold()
    } else {
      this.#release?.()
      this.#release = undefined
    }
  }

  override _read(): void {
    if (this.#isReading) return
    this.#isReading = true
    void this.#fill()
  }

  override _write(chunk: Uint8Array, _: string, done: (error?: Error) => void): void {
    this.#channel.send(chunk).then(() => done(), done)
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error) => void): void {
    Promise.all(chunks.map(({ chunk }) => this.#channel.send(chunk))).then(() => done(), done)
  }

  override _final(done: (error?: Error) => void): void {
    this.#channel.send(null).then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.keepAlive(false)
    // Without a reason what was sent until now would be all, and would be carried on to its end, however long nobody takes it.
    const isComplete = this.readableEnded && this.writableFinished
    const reason = error?.message ?? (isComplete ? undefined : 'it was cut off')
    void this.#channel.close(reason).catch(() => undefined)
    done(error)
  }

  async #fill(): Promise<void> {
    try {
      while (this.#isReading) {
        const item = await this.#channel.receiveQuietly()
        if (item instanceof Uint8Array) this.#isReading = this.push(item)
        else if (item === null) return void this.push(null)
        else throw new Error(said(item))
      }
    } catch (error) {
      const isOver = error instanceof EndOfChannelError
      this.destroy(isOver ? new Error('its carrier closed the channel') : error instanceof Error ? error : undefined)
    }
  }
}
