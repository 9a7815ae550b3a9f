/** A far end that was never there: what is known of its end is told to whoever starts it, as if it had lived. */
import type { Transport, TransportEnd } from './transport.js'

/** What it leaves behind. */
export interface LastWords extends TransportEnd {
  readonly stdout: string
  readonly stderr: string
}

/** Ends as soon as it is started. */
export function openEnded({ stdout, stderr, ...end }: LastWords, address: string): Transport {
  return {
    remoteAddress: address,
    start: (events) =>
      queueMicrotask(() => {
        if (stdout !== '') events.onChunk(Buffer.from(stdout))
        if (stderr !== '') events.onStderr(Buffer.from(stderr))
        events.onEnd(end)
      }),
    write: () => true,
    endInput: () => undefined,
    kill: () => undefined,
    keepAlive: () => undefined,
  }
}
