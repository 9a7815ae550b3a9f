/** One session of a master as a transport: a process of `ssh` that passes its streams on, and whose end is told as the host's. */
import { sleep } from '../../../timer.js'
import { openProcess } from '../../../transports/process.js'
import { type Transport, type TransportEnd, type TransportEvents, Unconfirmed } from '../../../transports/transport.js'
import { SessionRefused } from './connection.js'

/** The connection that a session belongs to. */
export interface SessionOwner {
  readonly address: string
  /** Settles when the connection has ended, with why. */
  readonly closed: Promise<Error | undefined>
}

/** What `ssh` ends with when it, and not the command, has failed; and when a signal ended the command. */
const SSH_FAILED = 255
const TAIL_BYTES = 2000
// Between the end of a master and that of its sessions.
const TOGETHER_MS = 100

/** Starts `ssh` when the transport is started. That the session is open is known by the first byte from there. */
export class OpensshSession implements Transport {
  readonly remoteAddress: string
  readonly #argv: readonly string[]
  readonly #owner: SessionOwner
  readonly #onOpen: (() => void) | undefined
  #process: Transport | undefined
  #tail = ''
  /** What ssh itself said before the host did: of no interest to users when it is only about a session too many. */
  readonly #held: Uint8Array[] = []
  #isHeard = false
  #isKilled = false

  constructor(argv: readonly string[], owner: SessionOwner, onOpen: (() => void) | undefined) {
    this.remoteAddress = owner.address
    this.#argv = argv
    this.#owner = owner
    this.#onOpen = onOpen
  }

  start(events: TransportEvents): void {
    this.#process = openProcess(this.#argv)
    this.#process.start({
      onChunk: (chunk) => {
        this.#hear()
        events.onChunk(chunk)
      },
      onStderr: (chunk) => {
        this.#tail = (this.#tail + Buffer.from(chunk).toString('latin1')).slice(-TAIL_BYTES)
        if (!this.#isHeard && this.#isOfSsh()) this.#held.push(chunk)
        else {
          this.#hear()
          events.onStderr(chunk)
        }
      },
      onDrain: () => events.onDrain(),
      onEnd: (end) => void this.#end(end, events),
    })
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#process?.write(chunks) ?? true
  }

  endInput(): void {
    this.#process?.endInput()
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#isKilled = true
    this.#process?.kill(signal)
  }

  keepAlive(isWanted: boolean): void {
    this.#process?.keepAlive(isWanted)
  }

  #hear(): void {
    if (this.#isHeard) return
    this.#isHeard = true
    this.#onOpen?.()
  }

  #isOfSsh(): boolean {
    return /^(mux_client_|Control socket |ssh: |kex_exchange_|Connection closed by UNKNOWN)/m.test(this.#tail)
  }

  async #end(end: TransportEnd, events: TransportEvents): Promise<void> {
    const refusal = /mux_client_request_session: (.*)/.exec(this.#tail)?.[1]
    if (end.exitCode === SSH_FAILED && refusal !== undefined && !this.#isHeard)
      return events.onEnd({ error: new SessionRefused(`${this.remoteAddress} gave no session: ${refusal}`) })
    for (const chunk of this.#held) events.onStderr(chunk)
    if (end.exitCode !== SSH_FAILED) {
      this.#hear()
      return events.onEnd(end)
    }
    const lost = await Promise.race([this.#owner.closed, sleep(TOGETHER_MS)])
    events.onEnd(lost === undefined ? (this.#unconfirmed() ?? end) : { error: lost })
  }

  /** Who was killed by us is `ssh`, here. */
  #unconfirmed(): TransportEnd | undefined {
    if (!this.#isKilled || !this.#isHeard) return undefined
    const text = `${this.remoteAddress} did not confirm that the session ended: what became of it cannot be told from here`
    return { error: new Unconfirmed(text) }
  }
}
