/** A transport that failed before it could be started; it reports that failure as its end. */
import { queueMicrotask } from '../timer.js'
import type { Transport, TransportEnd } from './transport.js'

/** What it leaves behind. */
export interface Remains extends TransportEnd {
  readonly stdout?: string
  readonly stderr?: string
}

/** Ends as soon as it is started. */
export function openEnded({ stdout = '', stderr = '', ...end }: Remains, address?: string): Transport {
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
