/**
 * How much memory what is being read may take, counted while it is: a byte can be a set of two hundred. It counts what comes beside the
 * payload's own bytes, and what was made and dropped again, so that it bounds the time, too. The figures are V8's, in bytes.
 */

/** What a value costs that is empty. */
export const Cost = { LIST: 32, TUPLE: 48, DICT: 56, SET: 216, MAP: 216, NAMED: 128, BYTES: 192, BIGINT: 64 } as const
/** What a member costs, beside itself. */
export const MemberCost = { LIST: 8, DICT: 32, SET: 40 } as const
/** The first member of an array brings room for so many. */
export const FIRST_ROOM: number = 17 * MemberCost.LIST
/** Of what nobody has asked for, what a long text takes beside a share of its bytes: what it takes to make it, in time. */
export const LONG_TEXT_COST = 32
export const TEXT_SHARE = 5
/** Of what is made at once, in bytes: a look at the memory is for this as well as for what came before. */
export const HEAVY = 4096
/** A byte of a long int: what it takes to make it, in time rather than in memory. */
export const INT_BYTE_COST = 16

/** One payload's. */
export class Budget {
  readonly #maxBytes: number
  #used = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Counts what is made. */
  spend(bytes: number): void {
    this.#used += bytes
  }

  /** Whether more was made than may be, what is on the way to being something included. */
  isExceeded(pendingEntries: number, more: number): boolean {
    return this.#used + more + pendingEntries * MemberCost.LIST > this.#maxBytes
  }

  toString(): string {
    return `${this.#maxBytes} bytes of memory`
  }
}
