/**
 * Notices that a host is gone although TCP has not: ServerAliveInterval and ServerAliveCountMax of ssh_config(5). ssh2 has
 * that too, with a timer that keeps the process alive for as long as the connection is open.
 */
import type { Client } from 'ssh2'
import { Timer } from '../../../timer.js'
import type { ResolvedHost } from './host.js'

const INTERVAL_SECONDS = 15
const COUNT = 3

/** What of ssh2's own state is used: a global request, and the list of those who wait for the answer to one. */
interface Internals {
  readonly _protocol?: { ping?(): void }
  readonly _callbacks?: (() => void)[]
}

/** Asks whenever nothing has come for an interval, and tells when that was in vain too often. */
export class Keepalive {
  readonly #client: Internals
  readonly #timer: Timer | undefined
  #unanswered = 0

  constructor(client: Client, host: ResolvedHost, onSilence: () => void) {
    const { serverAliveInterval: seconds = INTERVAL_SECONDS, serverAliveCountMax: count = COUNT } = host
    this.#client = client as unknown as Internals // declared nowhere: see above
    if (seconds === 0) return // switched off
    this.#timer = new Timer(seconds * 1000, () => {
      if (this.#unanswered >= count) return onSilence()
      this.#unanswered++
      this.#ask()
      this.#timer?.restart()
    }).unref()
  }

  /** Something came from the host. */
  hear(): void {
    this.#unanswered = 0
    this.#timer?.restart()
  }

  stop(): void {
    this.#timer?.stop()
  }

  #ask(): void {
    if (this.#client._protocol?.ping === undefined || this.#client._callbacks === undefined) return
    this.#client._callbacks.push(() => undefined)
    this.#client._protocol.ping()
  }
}
