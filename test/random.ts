/** Numbers that look random and are the same for the same seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Seeds that follow each other have nothing in common, not even in their first numbers. */
  static scrambled(seed: number): Random {
    const random = new Random(seed * 2_654_435_761 + 1)
    for (let at = 0; at < 4; at++) random.next()
    return random
  }

  /** From 0 to 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `low` up to and without `high`. */
  below(high: number, low = 0): number {
    return low + Math.floor(this.next() * (high - low))
  }

  /** As `below`, small ones as often as large ones. */
  size(high: number, low = 1): number {
    return Math.floor(low * (high / low) ** this.next())
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** One of a list that is not empty. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  bytes(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4))
    let state = this.below(2 ** 32) | 1
    for (let at = 0; at < words.length; at++) {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      words[at] = state
    }
    return new Uint8Array(words.buffer, 0, length)
  }
}
