/** Two connections made into one: what comes from either goes out by the other, as fast as that takes it. */
import { readSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { asError } from '../../errors.js'

/**
 * Joins two streams that both stay open while one direction has ended. When one breaks, the other is reset.
 *
 * @param onEnd - Called once, when both are over; with what broke them, if something did.
 */
export function splice(one: Duplex, other: Duplex, onEnd: (broken?: { stream: Duplex; error: Error }) => void): void {
  let open = 2
  let broken: { stream: Duplex; error: Error } | undefined
  const watch = (stream: Duplex, opposite: Duplex): void => {
    stream.pipe(opposite, { end: false })
    stream.once('end', () => {
      const error = errorBehind(stream)
      if (error === undefined) opposite.end()
      else stream.destroy(error)
    })
    stream.once('error', (error) => {
      broken ??= { stream, error }
      reset(opposite)
    })
    stream.once('close', () => {
      if (!isComplete(stream)) reset(opposite)
      if (--open === 0) onEnd(broken)
    })
    // It may have come to its end before anybody watched.
    if (stream.destroyed) reset(opposite)
  }
  watch(one, other)
  watch(other, one)
}

/** Whether both directions have come to their end. */
function isComplete(stream: Duplex): boolean {
  return stream.readableEnded && stream.writableFinished
}

/**
 * Why an end is none: a reset that comes right behind data is an end to libuv. The system keeps the error for whoever reads once more, for which Node has
 * no public way. Nothing waits here: behind an end there is an end, or that error. On Windows, where there is no such number, libuv makes no such end.
 */
export function errorBehind(stream: Duplex): Error | undefined {
  const { _handle: handle } = stream as { _handle?: { fd?: number } | null }
  if (handle?.fd === undefined || handle.fd < 0) return undefined
  try {
    readSync(handle.fd, new Uint8Array(1))
    return undefined
  } catch (error) {
    return asError(error)
  }
}

/** Ends a connection so that its far end cannot take it for a proper end, unless it was one. A Unix socket knows no other. */
export function reset(stream: Duplex): void {
  if (stream.destroyed) return
  const isTcp = stream instanceof Socket && (stream.connecting || stream.remoteFamily !== undefined)
  // While the system is being told of an end, Node (20 to 24) cannot reset a socket: its descriptor would stay, and both sides wait for ever.
  const isEnding = stream.writableEnded && !stream.writableFinished && stream.writableLength === 0
  if (isComplete(stream)) stream.destroy()
  else if (isTcp && isEnding) stream.once('finish', () => reset(stream))
  else if (isTcp) stream.resetAndDestroy()
  else stream.destroy(new Error('the connection broke'))
}
