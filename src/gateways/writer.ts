/** Writes what a connection has to say: all that is queued in one turn of the event loop leaves in one write, as fast as the transport takes it. */
import type { Connection } from '../protocol/connection.js'
import { asError } from '../thrown.js'
import { queueMicrotask } from '../timer.js'
import type { Transport } from '../transports/transport.js'
import { startFault } from './end.js'

// What is taken from the connection for one write: enough to keep a pipe full, little enough that a control frame is soon next.
const WRITE_BYTES = 512 * 1024

/** One gateway's way out. */
export class Writer {
  readonly #connection: Connection
  readonly #transport: Transport
  readonly #beforeFirst: () => readonly Uint8Array[]
  readonly #owner: { fail(fault: Error): void }
  #hasBegun = false
  #isScheduled = false
  #hasRoom = true
  #hasStopped = false
  readonly #onTurn = (): void => {
    this.#flush()
    this.#isScheduled = false
  }

  /**
   * @param beforeFirst - Asked just before the first write for what goes ahead of all frames; it may queue frames behind those that there are.
   * @param owner - Told what that throws. Nothing is written then.
   */
  constructor(
    connection: Connection,
    transport: Transport,
    beforeFirst: () => readonly Uint8Array[],
    owner: { fail(fault: Error): void },
  ) {
    this.#connection = connection
    this.#transport = transport
    this.#beforeFirst = beforeFirst
    this.#owner = owner
  }

  /** Something was queued: it leaves at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(this.#onTurn)
  }

  onDrain(): void {
    this.#hasRoom = true
    this.#flush()
  }

  /** Nobody is there any more to write to. */
  stop(): void {
    this.#hasStopped = true
  }

  #begin(): void {
    this.#hasBegun = true
    const first = this.#first()
    if (!this.#hasStopped)
      this.#hasRoom = this.#transport.write([...first, ...this.#connection.takeOutgoing(WRITE_BYTES)])
  }

  #first(): readonly Uint8Array[] {
    try {
      return this.#beforeFirst()
    } catch (error) {
      this.stop()
      this.#owner.fail(startFault(asError(error)))
      return []
    }
  }

  #flush(): void {
    if (this.#hasStopped) return
    if (!this.#hasBegun) this.#begin()
    while (this.#hasRoom && !this.#hasStopped) {
      const chunks = this.#connection.takeOutgoing(WRITE_BYTES)
      if (chunks.length === 0) return
      this.#hasRoom = this.#transport.write(chunks)
    }
  }
}
