/**
 * A transport to a far end that must be reached first. It takes what is written meanwhile and hands it on the moment the
 * far end is there, so that it leaves together with the request for it; nobody waits to find out.
 */
import { asError } from '../thrown.js'
import type { Transport, TransportEnd, TransportEvents } from './transport.js'

/** A far end that has been reached. */
export interface Reached {
  readonly transport: Transport
  /** Called once when it has ended. */
  readonly onEnd?: (() => void) | undefined
}

/** How the far end is reached. */
export interface Reach {
  /** Where it is, for people, before more is known. */
  readonly address: string
  /** @param signal - Aborted when the transport is killed before it got there. What is thrown is how the transport ends. */
  open(signal: AbortSignal): Promise<Reached>
  /** Whether to open anew after an end that came before a single byte. */
  mayReopen?(error: Error): boolean
}

const WRITE_AHEAD_BYTES = 1024 * 1024

/** Sets out for the far end as soon as the transport is started. */
export function openDeferred(reach: Reach): Transport {
  return new DeferredTransport(reach)
}

class DeferredTransport implements Transport {
  readonly #reach: Reach
  readonly #abort = new AbortController()
  #reached: Reached | undefined
  #events: TransportEvents | undefined
  /** What has been written; let go of when the far end has answered, and cannot be asked anew. */
  #written: Uint8Array[] | undefined = []
  #writtenBytes = 0
  #isFull = false
  #isInputOver = false
  #isWanted = true
  #hasEnded = false

  constructor(reach: Reach) {
    this.#reach = reach
  }

  get remoteAddress(): string | undefined {
    return this.#reached?.transport.remoteAddress ?? this.#reach.address
  }

  start(events: TransportEvents): void {
    this.#events = events
    void this.#open(events)
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#hasEnded) return true
    this.#keep(chunks)
    if (this.#reached !== undefined) return this.#reached.transport.write(chunks)
    this.#isFull = this.#writtenBytes > WRITE_AHEAD_BYTES
    return !this.#isFull
  }

  endInput(): void {
    this.#isInputOver = true
    this.#reached?.transport.endInput()
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#reached !== undefined) return this.#reached.transport.kill(signal)
    this.#abort.abort(new Error('it was given up'))
    this.#end({ error: new Error('it was given up before it was there') })
  }

  greeted(): void {
    this.#reached?.transport.greeted?.()
  }

  keepAlive(isWanted: boolean): void {
    this.#isWanted = isWanted
    this.#reached?.transport.keepAlive(isWanted)
  }

  async #open(events: TransportEvents): Promise<void> {
    try {
      this.#adopt(await this.#reach.open(this.#abort.signal), events)
    } catch (error) {
      this.#end({ error: asError(error) })
    }
  }

  #adopt(reached: Reached, events: TransportEvents): void {
    this.#reached = reached
    const { transport } = reached
    transport.start({
      onChunk: (chunk) => {
        this.#written = undefined
        events.onChunk(chunk)
      },
      onStderr: (chunk) => events.onStderr(chunk),
      onDrain: () => events.onDrain(),
      onEnd: (end) => this.#onEnd(reached, end, events),
    })
    if (this.#hasEnded) return this.#dismiss(transport)
    transport.keepAlive(this.#isWanted)
    const hasRoom = transport.write(this.#written ?? [])
    if (this.#isFull && hasRoom) events.onDrain()
    this.#isFull = false
    if (this.#isInputOver) transport.endInput()
  }

  /** It was given up while the far end was being reached. */
  #dismiss(transport: Transport): void {
    transport.keepAlive(false)
    transport.endInput()
    transport.kill('SIGKILL')
  }

  #keep(chunks: readonly Uint8Array[]): void {
    if (this.#written === undefined) return
    for (const chunk of chunks) this.#writtenBytes += chunk.length
    this.#written.push(...chunks)
    if (this.#reached !== undefined && this.#writtenBytes > WRITE_AHEAD_BYTES) this.#written = undefined
  }

  #onEnd(reached: Reached, end: TransportEnd, events: TransportEvents): void {
    reached.onEnd?.()
    const isUnheard = this.#written !== undefined && !this.#hasEnded
    if (isUnheard && end.error !== undefined && this.#reach.mayReopen?.(end.error) === true) {
      this.#reached = undefined
      void this.#open(events)
    } else this.#end(end)
  }

  #end(end: TransportEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#written = undefined
    this.#events?.onEnd(end)
  }
}
