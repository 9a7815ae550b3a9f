/** A process that a carrier's worker runs, reached over a channel (twin: src/gateways/via_remote.py, which says what the items are). */
import { constants } from 'node:os'
import type { Channel } from '../channels/channel.js'
import { EndOfChannelError } from '../errors.js'
import type { Transport, TransportEvents } from './transport.js'

const WRITE_AHEAD_BYTES = 1024 * 1024

/** The far end of a channel whose items are chunks. */
export function openChannelTransport<G>(channel: Channel<unknown, unknown, G>, carrier: string): Transport {
  return new ChannelTransport(channel, carrier)
}

class ChannelTransport<G> implements Transport {
  readonly remoteAddress: string
  readonly #channel: Channel<unknown, unknown, G>
  #unsentBytes = 0
  #isFull = false
  #events: TransportEvents | undefined
  #release: (() => void) | undefined

  constructor(channel: Channel<unknown, unknown, G>, carrier: string) {
    this.#channel = channel
    this.remoteAddress = carrier
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#release = this.#channel.hold()
    void this.#read(events)
  }

  write(chunks: readonly Uint8Array[]): boolean {
    for (const chunk of chunks) this.#send(chunk, chunk.length)
    this.#isFull = this.#unsentBytes > WRITE_AHEAD_BYTES
    return !this.#isFull
  }

  endInput(): void {
    this.#send(null, 0)
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#send(constants.signals[signal], 0)
  }

  keepAlive(isWanted: boolean): void {
    if (isWanted) {
      this.#release ??= this.#channel.hold()
    } else {
      this.#release?.()
      this.#release = undefined
    }
  }

  #send(item: unknown, bytes: number): void {
    this.#unsentBytes += bytes
    const sent = (): void => {
      this.#unsentBytes -= bytes
      if (!this.#isFull || this.#unsentBytes > WRITE_AHEAD_BYTES / 2) return
      this.#isFull = false
      this.#events?.onDrain()
    }
    // A channel that has ended is the end of the transport, which the reading side tells.
    this.#channel.send(item).then(sent, () => undefined)
  }

  async #read(events: TransportEvents): Promise<void> {
    try {
      while (true) {
        const item = await this.#next()
        if (item instanceof Uint8Array) events.onChunk(item)
        else if (Array.isArray(item) && item[0] === 'stderr' && item[1] instanceof Uint8Array) events.onStderr(item[1])
        else if (Array.isArray(item)) return this.#finish(events, item)
      }
    } catch (error) {
      events.onEnd({
        error:
          error instanceof EndOfChannelError
            ? new Error('its carrier closed the channel')
            : error instanceof Error
              ? error
              : new Error(String(error)),
      })
    } finally {
      this.keepAlive(false)
    }
  }

  /** Waiting here must not keep the process alive: that is for `keepAlive` to say. */
  #next(): Promise<unknown> {
    return this.#channel.receiveQuietly()
  }

  #finish(events: TransportEvents, [what, code, text]: readonly unknown[]): void {
    if (what === 'failed') {
      return events.onEnd({ error: Object.assign(new Error(String(text)), { code: String(code) }) })
    }
    const number = Number(code)
    if (number >= 0) return events.onEnd({ exitCode: number })
    events.onEnd({
      signal: Object.entries(constants.signals).find(([, signal]) => signal === -number)?.[0] ?? `signal ${-number}`,
    })
  }
}
