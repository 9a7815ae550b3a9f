/** A process that a carrier's worker runs, reached over a channel (twin: src/gateways/carriers/via_remote.py, which says what the items are). */
import { constants } from 'node:os'
import type { Channel } from '../channels/channel.js'
import { EndOfChannelError } from '../errors.js'
import * as messages from '../protocol/messages.js'
import { asError } from '../thrown.js'
import { Timer } from '../timer.js'
import { Pace } from './pace.js'
import { type Transport, type TransportEnd, type TransportEvents, Unconfirmed } from './transport.js'

const WRITE_AHEAD_BYTES = 1024 * 1024
// What a carrier that is well takes to tell of an end, also when it has much else to do.
const CONFIRM_MS = 1500
// The same of one that has passed the signal on: nobody there may kill a process of another user, which its guard has to end.
const PASSED_MS = 10_000

/** Gives the carried process a signal, ahead of all that is on its way there. Rejects when the carrier cannot. */
export type PassSignal = (signal: number) => Promise<void>

/** The far end of a channel whose items are chunks. */
export function openChannelTransport<G>(
  channel: Channel<unknown, unknown, G>,
  carrier: string,
  passSignal: PassSignal,
): Transport {
  return new ChannelTransport(channel, carrier, passSignal)
}

class ChannelTransport<G> implements Transport {
  readonly remoteAddress: string
  readonly #channel: Channel<unknown, unknown, G>
  readonly #passSignal: PassSignal
  #unsentBytes = 0
  #isFull = false
  #events: TransportEvents | undefined
  #release: (() => void) | undefined
  #confirmation: Timer | undefined
  #hasEnded = false

  constructor(channel: Channel<unknown, unknown, G>, carrier: string, passSignal: PassSignal) {
    this.#channel = channel
    this.#passSignal = passSignal
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
    if (this.#hasEnded) return
    const number = constants.signals[signal]
    if (signal === 'SIGKILL') this.#confirmWithin(CONFIRM_MS)
    this.#passSignal(number).then(
      () => signal === 'SIGKILL' && this.#confirmWithin(PASSED_MS),
      () => this.#send(number, 0),
    )
  }

  keepAlive(isWanted: boolean): void {
    if (isWanted && !this.#hasEnded) {
      this.#release ??= this.#channel.hold()
    } else {
      this.#release?.()
      this.#release = undefined
    }
  }

  #confirmWithin(ms: number): void {
    this.#confirmation?.stop()
    if (!this.#hasEnded) this.#confirmation = new Timer(ms, () => this.#giveUp())
  }

  /** The carrier, if it goes on some day, finds the signals, and behind them that nobody is there any more. */
  #giveUp(): void {
    const text = `${this.remoteAddress}, which carries it, did not confirm that it ended: that cannot be told from here`
    this.#end({ error: new Unconfirmed(text) })
    void this.#channel.close()
  }

  #end(end: TransportEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#confirmation?.stop()
    this.keepAlive(false)
    this.#events?.onEnd(end)
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
    const pace = new Pace()
    try {
      while (true) {
        const item = await this.#next()
        if (this.#hasEnded) return
        pace.begin()
        if (item instanceof Uint8Array) await this.#take(item, pace, events)
        else if (Array.isArray(item) && item[0] === 'stderr' && item[1] instanceof Uint8Array) events.onStderr(item[1])
        else if (Array.isArray(item)) return this.#end(endOf(messages.read(messages.end, item)))
        if (pace.end()) await pace.break()
      }
    } catch (error) {
      this.#end({ error: faultOf(error) })
    }
  }

  /** A carrier may send as much at once as an item may have. */
  async #take(item: Uint8Array, pace: Pace, events: TransportEvents): Promise<void> {
    let rest = item
    do {
      rest = rest.subarray(pace.feed(rest, (slice) => events.onChunk(slice)))
      if (pace.isDue) await pace.break()
    } while (rest.length > 0 && !this.#hasEnded)
  }

  /** Waiting here must not keep the process alive: that is for `keepAlive` to say. */
  #next(): Promise<unknown> {
    return this.#channel.receiveQuietly()
  }
}

/** Why a channel is of no more use. What is carried by somebody of whom nothing can be told is no better known itself. */
function faultOf(error: unknown): Error {
  if (error instanceof EndOfChannelError) return new Error('its carrier closed the channel')
  const fault = asError(error)
  return fault.cause instanceof Unconfirmed ? new Unconfirmed(fault.message, { cause: fault }) : fault
}

function endOf(end: messages.Of<typeof messages.end>): TransportEnd {
  if (end[0] === 'failed') return { error: Object.assign(new Error(end[2]), { code: String(end[1]) }) }
  const number = end[1]
  if (number >= 0) return { exitCode: number }
  return {
    signal: Object.entries(constants.signals).find(([, signal]) => signal === -number)?.[0] ?? `signal ${-number}`,
  }
}
