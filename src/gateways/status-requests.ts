/** Questions for a worker's status that have not been answered yet. */

/** One gateway's; every question settles, if only because the gateway has ended. */
export class StatusRequests {
  readonly #waiting = new Map<number, (payload: Uint8Array | undefined) => void>()

  /** Waits for the answer to a request; undefined when none will come. */
  wait(request: number): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => this.#waiting.set(request, resolve))
  }

  answer(request: number, payload: Uint8Array): void {
    this.#waiting.get(request)?.(payload)
    this.#waiting.delete(request)
  }

  /** No answer will come any more. */
  end(): void {
    for (const settle of this.#waiting.values()) settle(undefined)
    this.#waiting.clear()
  }
}
