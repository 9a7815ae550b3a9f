/** What moves chunks and knows nothing else. A kind of transport is one file beside this one. */

/** How the far end came to its end; what is absent is not known. */
export interface TransportEnd {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  /** What broke, when it was not the far end's own doing: a spawn that failed, a connection that was cut. */
  readonly error?: Error | undefined
}

/** The far end closed the link, and nobody can tell how it ended: no failure when it had been asked to leave. */
export class LinkClosed extends Error {}

/** The far end was killed, and nobody who could tell from here what became of it has answered. */
export class Unconfirmed extends Error {}

/** Who owns a transport. Calls come in the order of the stream; nothing follows `onEnd`. */
export interface TransportEvents {
  onChunk(chunk: Uint8Array): void
  onStderr(chunk: Uint8Array): void
  /** What `write` refused may be written now. */
  onDrain(): void
  onEnd(end: TransportEnd): void
}

/** One far end, and the bytes to it and from it. */
export interface Transport {
  /** Where the far end is, in words for people; undefined for a child process. */
  readonly remoteAddress: string | undefined
  /** Delivers what happens from now on. Called once. */
  start(events: TransportEvents): void
  /** Writes chunks in one go. False when no more should come before `onDrain`; these are taken all the same. */
  write(chunks: readonly Uint8Array[]): boolean
  /** Ends the input of the far end, which then leaves by itself. */
  endInput(): void
  /**
   * Ends the far end with everything that it has started. It overtakes all bytes. Behind `SIGKILL` comes the end, soon, whoever
   * on the way stands still: as {@link Unconfirmed} where that is so.
   */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
  /** A worker is there, which ends by itself when this program does. */
  greeted?(): void
  /** Whether the transport keeps this process alive. */
  keepAlive(isWanted: boolean): void
}
