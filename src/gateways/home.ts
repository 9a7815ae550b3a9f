/** Gateways whose worker has come by itself: what `group.listen` makes of an arrival. */
import type { Connecting } from '../transports/connecting.js'
import type { Arrival } from '../transports/dial-home/listener.js'
import { openStream } from '../transports/stream.js'
import { linkLine } from '../transports/websocket/link.js'
import { bootstrapSize, loaderLine } from './bootstrap.js'
import type { Opened } from './kind.js'

/** Lets a worker in. */
export function openArrival({ stream, address, layers, keepAlive, admit }: Arrival, connecting: Connecting): Opened {
  connecting.enter('python', address)
  admit(linkLine(bootstrapSize(), layers) + loaderLine('posix'))
  return { transport: openStream(stream, { address, keepAlive }), tried: [`the interpreter of ${address}`] }
}
