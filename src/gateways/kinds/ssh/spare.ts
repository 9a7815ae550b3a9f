/**
 * A session that was opened ahead of need: a shell there waits for a line that says what to become. To a gateway that takes
 * it, opening costs one round trip, and none of the time in which the host starts a session.
 */
import { queueMicrotask, Timer } from '../../../timer.js'
import type { Connecting } from '../../../transports/connecting.js'
import type { Transport, TransportEnd, TransportEvents } from '../../../transports/transport.js'
import type { SshConnection } from './connection.js'

// For every login shell. `read` takes no byte beyond its line, so what follows is the worker's.
const WAIT = `sh -c 'IFS= read -r line && eval "exec $line"'`
// Logins that print do so in a few chunks; one that goes on is not waited with.
const MAX_EARLY = 64
// What a shell takes to leave; a login that runs something else instead does not.
const LEAVE_MS = 500

/** It had ended before it could become anything, which was not known when it was taken. Another session may well do. */
export class SpareEnded extends Error {}

/** Not yet anybody's; then the transport of one gateway. */
export class SpareSession implements Transport {
  readonly connection: SshConnection
  /** Resolves when it has ended, with why if that was not its own doing. Never rejects. */
  readonly ended: Promise<Error | undefined>
  readonly #transport: Transport
  /** What the login had to say before anybody listened. */
  #early: ((events: TransportEvents) => void)[] = []
  #events: TransportEvents | undefined
  #end: TransportEnd | undefined
  #isTaken = false
  #isHeard = false

  private constructor(transport: Transport, connection: SshConnection) {
    this.connection = connection
    this.#transport = transport
    this.ended = new Promise((resolve) => {
      transport.start({
        onChunk: (chunk) => this.#hear((events) => events.onChunk(chunk)),
        onStderr: (chunk) => this.#hear((events) => events.onStderr(chunk)),
        onDrain: () => this.#events?.onDrain(),
        onEnd: (end) => {
          const isUseless = this.#isTaken && !this.#isHeard
          this.#end = isUseless ? { error: new SpareEnded(`${this.remoteAddress} had ended the session`) } : end
          this.#pass((events) => events.onEnd(this.#end ?? end))
          resolve(end.error)
        },
      })
    })
    transport.keepAlive(false)
  }

  /** @throws SessionRefused, as `openSession` does. */
  static async open(connection: SshConnection): Promise<SpareSession> {
    const connecting: Connecting = {
      enter: () => undefined,
      ask: async () => undefined,
      pause: () => () => undefined,
      signal: new AbortController().signal,
    }
    return new SpareSession(await connection.openSession(WAIT, connecting), connection)
  }

  get remoteAddress(): string | undefined {
    return this.#transport.remoteAddress
  }

  /** @param command - One line for a shell. @returns False when it is too late: the session has ended. */
  become(command: string): boolean {
    if (this.#end !== undefined) return false
    this.#isTaken = true
    this.#transport.write([Buffer.from(`${command}\n`)])
    return true
  }

  /** Nobody will need it. */
  end(): void {
    this.#transport.endInput() // its shell waits for nothing else
    const timer = new Timer(LEAVE_MS, () => this.#transport.kill('SIGKILL')).unref()
    void this.ended.then(() => timer.stop())
  }

  start(events: TransportEvents): void {
    // Whoever starts a transport does not expect to be called back before that is done.
    queueMicrotask(() => {
      this.#events = events
      for (const tell of this.#early.splice(0)) tell(events)
    })
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#transport.write(chunks)
  }

  endInput(): void {
    this.#transport.endInput()
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#transport.kill(signal)
  }

  keepAlive(isWanted: boolean): void {
    this.#transport.keepAlive(isWanted)
  }

  #hear(tell: (events: TransportEvents) => void): void {
    if (this.#isTaken) this.#isHeard = true
    this.#pass(tell)
  }

  #pass(tell: (events: TransportEvents) => void): void {
    if (this.#events !== undefined) tell(this.#events)
    else if (this.#early.push(tell) > MAX_EARLY) this.#transport.kill('SIGKILL')
  }
}
