/** Who may come: whoever knows the token of the listener, and whoever was invited, so often as that was said. */
import { randomBytes } from 'node:crypto'
import { tokenId } from './handshake.js'

interface Entry {
  readonly token: string
  /** Arrivals that it is still good for. */
  left: number
}

/** Tokens by the name that whoever comes calls them by. */
export class Tokens {
  readonly #entries = new Map<string, Entry>()

  readonly #lasting: string | undefined

  /** @param token - One that is good for ever. */
  constructor(token: string | undefined) {
    this.#lasting = token
    if (token !== undefined) this.#entries.set(tokenId(token), { token, left: Number.POSITIVE_INFINITY })
  }

  /** Whether there is one that is good for ever. */
  get isOpen(): boolean {
    return this.#lasting !== undefined
  }

  /** A new one that is good for so many arrivals; when `count` is absent for one, or the one that is good for ever. */
  make(count: number | undefined): string {
    if (count === undefined && this.#lasting !== undefined) return this.#lasting
    const token = randomBytes(24).toString('hex')
    this.#entries.set(tokenId(token), { token, left: count ?? 1 })
    return token
  }

  get(id: string): string | undefined {
    return this.#entries.get(id)?.token
  }

  /** Somebody has proved to know it: one arrival less. False when it was used up meanwhile. */
  use(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined) return false
    if (--entry.left <= 0) this.#entries.delete(id)
    return true
  }
}
