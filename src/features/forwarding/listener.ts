/** What both kinds of listener are, and need. */
import type { Duplex } from 'node:stream'
import { type BaseGateway, type Channel, equip, equipCarrier } from '../../core.js'
import type { Place } from './address.js'
import type { Connections } from './connections.js'

/** Bytes of an item of the worker's that is no part of a connection. */
export const MOST_BYTES: number = 64 * 1024

/** What is asked of a listener. */
export interface ListenTask {
  readonly gateway: BaseGateway
  readonly listen: Place
  readonly to: Place
  /** For each connection to `to`. */
  readonly timeoutMs: number
  readonly connections: Connections
  /** Told when it has ended by itself. */
  onEnd(error: Error): void
}

/** What listens, on either side. */
export interface Listener {
  readonly place: Place
  close(): Promise<void>
  /** Whether it keeps this process alive. */
  keepAlive(isWanted: boolean): void
}

/** Has the worker drop a connection that did not come to its end: it may be stuck in a call, and not see that its channel is closed. */
export function dropWhenCut(stream: Duplex, channel: Channel, control: Channel): void {
  stream.once('close', () => {
    const isComplete = stream.readableEnded && stream.writableFinished
    if (!isComplete) control.send(channel.id).catch(() => undefined) // a worker that is gone has dropped it
  })
}

/** Starts the worker's half of a forward, which goes on behind `control` when the task has ended. Resolves when it has started. */
export function startRemote(
  gateway: BaseGateway,
  half: 'serve' | 'listen',
  kwargs: { readonly control: Channel; readonly [name: string]: unknown },
): Promise<void> {
  equipCarrier(gateway)
  equip(gateway, import.meta.url, ['forward_remote'])
  const text = `from _tendril.forward_remote import ${half}\n${half}(${Object.keys(kwargs).join(', ')})`
  return gateway.execAside(text, kwargs).waitClose()
}
