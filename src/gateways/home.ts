/** Gateways whose worker has come by itself: what `group.listen` makes of an arrival. */
import { XSpecError } from '../errors.js'
import type { Connecting } from '../transports/connecting.js'
import type { Arrival } from '../transports/dial-home/listener.js'
import { openStream } from '../transports/stream.js'
import { linkLine } from '../transports/websocket/link.js'
import { bootstrapSize, loaderLine } from './bootstrap.js'
import type { Opened } from './kind.js'
import { XSpec } from './xspec.js'

// What a worker can still be told when it is there.
const keysOfArrivals = ['id', 'chdir', 'nice', 'execmodel', 'dont_write_bytecode', 'timeout']

/**
 * Makes the specs of arrivals.
 *
 * @param keys - What all of them are to have.
 * @throws {@link XSpecError} for a key that comes too late for an interpreter that runs.
 */
export function specsOfArrivals(keys: string | undefined): (address: string) => XSpec {
  const late = keys?.split('//').find((key) => !keysOfArrivals.includes(key.replace(/=.*/s, '')))
  if (late !== undefined)
    throw new XSpecError(
      `"${late}" cannot be had for workers that come by themselves, in "${keys}"; there are ${keysOfArrivals.join(', ')}`,
    )
  const specFor = (address: string): XSpec => XSpec.parse(`home=${address}${keys === undefined ? '' : `//${keys}`}`)
  specFor('anywhere')
  return specFor
}

/** Lets a worker in. */
export function openArrival({ stream, address, layers, keepAlive, admit }: Arrival, connecting: Connecting): Opened {
  connecting.enter('python', address)
  admit(linkLine(bootstrapSize(), layers) + loaderLine('posix'))
  return { transport: openStream(stream, { address, keepAlive }), tried: [`the interpreter of ${address}`] }
}
