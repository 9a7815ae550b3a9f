/** A program that leads to a worker elsewhere. When it ends on the way, what it said is the reason, and has to be put into words. */

import { withSignal } from './shell-status.js'
import { type Transport, type TransportEnd, Unconfirmed } from './transport.js'

// Programs that complain do it in a few lines.
const SAID_CHARACTERS = 4096

/** What is known of such a program. */
export interface Explanation {
  /** Where it leads, for people; what the transport says when absent. */
  readonly address?: string | undefined
  /** What its end means, from all it said on stdout and stderr; undefined when that speaks for itself. */
  explain(end: TransportEnd, said: string): Error | undefined
}

/** A transport whose end is explained. */
export function openExplained(transport: Transport, { address, explain }: Explanation): Transport {
  let said = ''
  // A program that catches the signal and exits in peace has left what it led to behind.
  let killedBy: string | undefined
  const listen = (chunk: Uint8Array): void => {
    if (said.length < SAID_CHARACTERS) said += Buffer.from(chunk.subarray(0, SAID_CHARACTERS)).toString('utf8')
  }
  return {
    get remoteAddress() {
      return address ?? transport.remoteAddress
    },
    start: (events) =>
      transport.start({
        onChunk: (chunk) => {
          listen(chunk)
          events.onChunk(chunk)
        },
        onStderr: (chunk) => {
          listen(chunk)
          events.onStderr(chunk)
        },
        onDrain: () => events.onDrain(),
        onEnd: (end) => {
          const error = end.error instanceof Unconfirmed ? undefined : explain(end, said)
          const told = withSignal(end)
          events.onEnd(error === undefined ? { ...told, signal: told.signal ?? killedBy } : { ...end, error })
        },
      }),
    write: (chunks) => transport.write(chunks),
    endInput: () => transport.endInput(),
    kill: (signal) => {
      killedBy = signal
      transport.kill(signal)
    },
    greeted: () => transport.greeted?.(),
    keepAlive: (isWanted) => transport.keepAlive(isWanted),
  }
}
