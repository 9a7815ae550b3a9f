/** Writes what a connection has to say: all that is queued in one turn of the event loop leaves in one write, as fast as the transport takes it. */
import type { Connection } from '../protocol/connection.js'
import type { Transport } from '../transports/transport.js'

// What is taken from the connection for one write: enough to keep a pipe full, little enough that a control frame is soon next.
const WRITE_BYTES = 512 * 1024

/** One gateway's way out. */
export class Writer {
  readonly #connection: Connection
  readonly #transport: Transport
  readonly #beforeFirst: () => readonly Uint8Array[]
  #hasBegun = false
  #isScheduled = false
  #hasRoom = true
  #hasStopped = false

  /** @param beforeFirst - Asked just before the first write for what goes ahead of all frames; it may queue frames behind those that there are. */
  constructor(connection: Connection, transport: Transport, beforeFirst: () => readonly Uint8Array[]) {
    this.#connection = connection
    this.#transport = transport
    this.#beforeFirst = beforeFirst
  }

  /** Something was queued: it leaves at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#flush()
      this.#isScheduled = false
    })
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
    const first = this.#beforeFirst()
    this.#hasRoom = this.#transport.write([...first, ...this.#connection.takeOutgoing(WRITE_BYTES)])
  }

  #flush(): void {
    if (this.#hasStopped) return
    if (!this.#hasBegun) this.#begin()
    while (this.#hasRoom) {
      const chunks = this.#connection.takeOutgoing(WRITE_BYTES)
      if (chunks.length === 0) return
      this.#hasRoom = this.#transport.write(chunks)
    }
  }
}
