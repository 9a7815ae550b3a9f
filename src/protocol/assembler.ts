/** The items of one channel while they arrive (PROTOCOL.md §2, §6): fragments of DATA or of BYTES, until each item is complete. */
import { ProtocolError } from '../errors.js'
import { Fragments } from './fragments.js'
import { joinPieces, sizeOf } from './frame-reader.js'
import { Slab } from './slab.js'
import { TooLong } from './too-long.js'
import { WholeBytes } from './whole-bytes.js'

/** One channel's. */
export class Assembler {
  #maxItemBytes: number
  // Most channels need none, and a worker may open very many.
  #data: Fragments | undefined
  #bytes: WholeBytes | undefined
  #slab: Slab | undefined

  constructor(maxItemBytes: number) {
    this.#maxItemBytes = maxItemBytes
  }

  /** Whether an item has begun to come. */
  get isPartial(): boolean {
    return this.#data?.isPartial === true || this.#bytes?.isPartial === true
  }

  /** How many bytes are kept of one that is not complete. */
  get partialBytes(): number {
    return (this.#data?.bytes ?? 0) + (this.#bytes?.bytes ?? 0)
  }

  /** Bounds the item that is about to begin, and those that follow. */
  limit(maxItemBytes: number): void {
    this.#maxItemBytes = maxItemBytes
    this.#data?.limit(maxItemBytes)
    this.#bytes?.limit(maxItemBytes)
  }

  /**
   * Takes a fragment of DATA; returns the payload when it is complete.
   *
   * @param isCopied - It may not keep the chunk alive that it came in.
   * @throws {@link ProtocolError} amid an item that came as BYTES.
   */
  addData(
    pieces: readonly Uint8Array[],
    hasMore: boolean,
    isCopied: boolean,
    channel: number,
  ): Uint8Array | TooLong | undefined {
    if (this.#bytes?.isPartial === true) throw amidAnother(channel)
    const whole = this.#gather(pieces, hasMore)
    if (whole === undefined || whole instanceof TooLong) return whole
    const payload = joinPieces(whole)
    if (!isCopied) return payload
    this.#slab ??= new Slab()
    return this.#slab.keep(payload)
  }

  #gather(pieces: readonly Uint8Array[], hasMore: boolean): readonly Uint8Array[] | TooLong | undefined {
    if (this.#data === undefined) {
      if (!hasMore && sizeOf(pieces) <= this.#maxItemBytes) return pieces
      this.#data = new Fragments(this.#maxItemBytes)
    }
    return this.#data.add(pieces, hasMore)
  }

  /** As `addData`, for a fragment of BYTES; returns the bytes that the item consists of. */
  addBytes(pieces: readonly Uint8Array[], hasMore: boolean, channel: number): Uint8Array | TooLong | undefined {
    if (this.#data?.isPartial === true) throw amidAnother(channel)
    this.#bytes ??= new WholeBytes(this.#maxItemBytes)
    return this.#bytes.add(pieces, hasMore, channel)
  }

  /** Lets go of what has arrived. */
  clear(): void {
    this.#data?.clear()
    this.#bytes?.clear()
  }
}

function amidAnother(channel: number): ProtocolError {
  return new ProtocolError(`an item amid another on channel ${channel}`)
}
