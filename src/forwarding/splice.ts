/** Two connections made into one: what comes from either goes out by the other, as fast as that takes it. */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Joins two streams that both stay open while one direction has ended. When one breaks, the other is reset.
 *
 * @param onEnd - Called once, when both are over; with what broke them, if something did.
 */
export function splice(one: Duplex, other: Duplex, onEnd: (broken?: { stream: Duplex; error: Error }) => void): void {
  let open = 2
  let broken: { stream: Duplex; error: Error } | undefined
  const watch = (stream: Duplex, opposite: Duplex): void => {
    stream.pipe(opposite)
    stream.once('error', (error) => {
      broken ??= { stream, error }
      reset(opposite)
    })
    stream.once('close', () => {
      if (!stream.readableEnded || !stream.writableFinished) opposite.destroy()
      if (--open === 0) onEnd(broken)
    })
    // It may have come to its end before anybody watched.
    if (stream.destroyed) opposite.destroy()
  }
  watch(one, other)
  watch(other, one)
}

/** Ends a connection so that its far end cannot take it for a proper end. */
export function reset(stream: Duplex): void {
  if (stream instanceof Socket && !stream.destroyed) stream.resetAndDestroy()
  else stream.destroy(new Error('the connection broke'))
}
