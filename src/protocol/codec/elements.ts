/**
 * Keys of dicts that are numbers to V8: it has objects keep their values in an array, with room for what lies between two keys that are not
 * far from each other. A dict of one key may be one of twelve kilobytes.
 */
import type { Budget } from './budget.js'

// V8's: how far beyond the room that there is a key may be, and the room up to which nobody asks how many of the places are taken.
const MAX_GAP = 1024
const UNCHECKED_ROOM = 5000
// Beyond that, with less than one key in so many places there is no array.
const SPARSE = 27
const PLACE_BYTES = 8
const MAX_DIGITS = 9
const INDEX = /^(?:0|[1-9][0-9]*)$/

/** The array of the object that is being made. */
export class Elements {
  readonly #budget: Budget
  #object: object | undefined
  #room = 0
  #keys = 0

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** A key is about to be set: if it is a number, what room it brings counts. */
  count(object: object, key: string): void {
    if (key.length > MAX_DIGITS || !INDEX.test(key)) return
    if (this.#object !== object) {
      this.#object = object
      this.#room = this.#keys = 0
    }
    this.#keys++
    const index = Number(key)
    if (index < this.#room || index - this.#room >= MAX_GAP) return
    const room = index + 1 + ((index + 1) >> 1) + 16
    if (room > UNCHECKED_ROOM && room > SPARSE * this.#keys) return
    this.#budget.spend((room - this.#room) * PLACE_BYTES)
    this.#room = room
  }
}
