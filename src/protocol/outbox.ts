/**
 * What of one channel waits for its turn, in order, and how far the first of it has gone. Short items that are waited for together are copied side by side: hundreds of
 * thousands of them may wait, and each for itself would take many times its own bytes.
 */
import { Fifo } from './fifo.js'
import { isItem, Kind } from './frames.js'

/** Something of a channel that waits for its turn: an item, or the END or CLOSE behind the items. */
export interface Outbound {
  readonly kind: number
  readonly flags: number
  readonly parts: readonly Uint8Array[]
  readonly size: number
  /** Called once: with nothing when the item has left, with true when it never will. Items that are waited for together have the same. */
  readonly onDone?: ((dropped?: boolean) => void) | undefined
}

const SHORT_BYTES = 4096
const FIRST_BYTES = 1024
const RUN_BYTES = 64 * 1024

/** One channel's. */
export class Outbox {
  readonly #entries = new Fifo<Outbound | Run>()
  #length = 0
  #bytes = 0
  #first: Outbound | undefined
  // Where in the first one the next fragment starts: so many bytes in, at an offset in one of its parts.
  #sent = 0
  #part = 0
  #offset = 0

  get length(): number {
    return this.#length
  }

  /** Of all that waits. */
  get bytes(): number {
    return this.#bytes
  }

  get first(): Outbound | undefined {
    const entry = this.#entries.first
    this.#first ??= entry instanceof Run ? entry.first : entry
    return this.#first
  }

  /** Whether a part of the first one has been taken. */
  get hasBegun(): boolean {
    return this.#sent > 0
  }

  push(outbound: Outbound): void {
    this.#length++
    this.#bytes += outbound.size
    const last = this.#entries.last
    if (last instanceof Run && last.add(outbound)) return
    const isTogether = last !== undefined && last.onDone === outbound.onDone && isShort(outbound)
    this.#entries.push(isTogether ? new Run(outbound) : outbound)
  }

  /** Takes the next fragment: calls `onPart` for each run of its bytes, after `onHeader`. Returns the outbound when that was its last. */
  advance(
    maxBytes: number,
    onHeader: (outbound: Outbound, length: number, isLast: boolean) => void,
    onPart: (bytes: Uint8Array) => void,
  ): Outbound | undefined {
    const { first } = this
    if (first === undefined) return undefined
    const length = Math.min(maxBytes, first.size - this.#sent)
    const isLast = this.#sent + length === first.size
    onHeader(first, length, isLast)
    this.#walk(first.parts, length, onPart)
    if (!isLast) return undefined
    this.#part = this.#offset = this.#sent = 0
    return this.#shift()
  }

  /** Lets go of all; returns it, so that everybody can be told. */
  drain(): Outbound[] {
    this.#part = this.#offset = this.#sent = 0
    return this.#takeAll()
  }

  /** Lets go of the items that were not begun, and returns them. */
  drainItems(): Outbound[] {
    const begun = this.hasBegun ? this.first : undefined
    const dropped: Outbound[] = []
    for (const outbound of this.#takeAll()) {
      if (outbound === begun || !isItem(outbound.kind)) this.push(outbound)
      else dropped.push(outbound)
    }
    return dropped
  }

  #takeAll(): Outbound[] {
    const all: Outbound[] = []
    for (let outbound = this.#shift(); outbound !== undefined; outbound = this.#shift()) all.push(outbound)
    return all
  }

  #shift(): Outbound | undefined {
    const { first } = this
    if (first === undefined) return undefined
    const entry = this.#entries.first
    if (!(entry instanceof Run) || entry.shift() === 0) this.#entries.shift()
    this.#first = undefined
    this.#length--
    this.#bytes -= first.size
    return first
  }

  #walk(parts: readonly Uint8Array[], length: number, onPart: (bytes: Uint8Array) => void): void {
    let left = length
    while (left > 0) {
      const part = parts[this.#part] ?? new Uint8Array(left) // never absent: an outbound's size is that of its parts
      const bytes = this.#offset === 0 && part.length <= left ? part : part.subarray(this.#offset, this.#offset + left)
      onPart(bytes)
      left -= bytes.length
      this.#offset += bytes.length
      if (this.#offset === part.length) {
        this.#part++
        this.#offset = 0
      }
    }
    this.#sent += length
  }
}

/** Short items, side by side. */
class Run {
  readonly onDone: Outbound['onDone']
  readonly #sizes: number[] = []
  #bytes = new Uint8Array(FIRST_BYTES)
  #used = 0
  // The first of those that are left.
  #at = 0
  #start = 0

  constructor(first: Outbound) {
    this.onDone = first.onDone
    this.add(first)
  }

  get first(): Outbound {
    const size = this.#sizes[this.#at] ?? 0 // never absent: an empty one is let go
    const parts = [this.#bytes.subarray(this.#start, this.#start + size)]
    return { kind: Kind.DATA, flags: 0, parts, size, onDone: this.onDone }
  }

  /** False for what is not waited for together with the others, and for what has no place. */
  add(outbound: Outbound): boolean {
    if (outbound.onDone !== this.onDone || !isShort(outbound) || this.#used + outbound.size > RUN_BYTES) return false
    if (this.#used + outbound.size > this.#bytes.length) this.#grow(this.#used + outbound.size)
    for (const part of outbound.parts) {
      this.#bytes.set(part, this.#used)
      this.#used += part.length
    }
    this.#sizes.push(outbound.size)
    return true
  }

  /** Lets the first one go; returns how many are left. */
  shift(): number {
    this.#start += this.#sizes[this.#at++] ?? 0
    return this.#sizes.length - this.#at
  }

  /** What has been given out stays as it is, in the old bytes. */
  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.min(RUN_BYTES, Math.max(bytes, 2 * this.#bytes.length)))
    grown.set(this.#bytes.subarray(0, this.#used))
    this.#bytes = grown
  }
}

function isShort({ kind, flags, size }: Outbound): boolean {
  return kind === Kind.DATA && flags === 0 && size <= SHORT_BYTES
}
