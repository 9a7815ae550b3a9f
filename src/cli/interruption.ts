/** Ctrl-C: gateways that are on their way are given up at once, workers that run are asked to leave. A second one ends this process. */
import type { Group } from '../index.js'

/** @returns A signal that is aborted by the first SIGINT; all that waits for the group comes to its end by it. */
export function endOnInterrupt(group: Group, onInterrupt: () => void = () => undefined): AbortSignal {
  const interruption = new AbortController()
  process.once('SIGINT', () => {
    interruption.abort()
    onInterrupt()
    for (const gateway of group) if (!gateway.isReceiving) void gateway.terminate({ timeout: 0 })
    void group.terminate()
  })
  return interruption.signal
}
