/** Gateways whose worker has come by itself: what `group.listen` makes of an arrival. */
import { XSpecError } from '../../errors.js'
import { XSpec, type XSpecLike } from '../../specs/xspec.js'
import { segmentsOf, splitSegment } from '../../specs/xspec-text.js'
import type { Connecting } from '../../transports/connecting.js'
import type { Arrival } from '../../transports/dial-home/listener.js'
import { openStream } from '../../transports/stream.js'
import { linkLine } from '../../transports/websocket/link.js'
import { bootstrapSize, loaderLine } from '../bootstrap.js'
import type { Opened } from '../kind.js'

// What a worker can still be told when it is there.
const keysOfArrivals = ['id', 'chdir', 'nice', 'execmodel', 'dont_write_bytecode', 'timeout', 'tag']

/**
 * Makes the specs of arrivals.
 *
 * @param keys - What all of them are to have.
 * @throws {@link XSpecError} for a key that comes too late for an interpreter that runs.
 */
export function specsOfArrivals(keys: XSpecLike | undefined): (address: string) => XSpec {
  if (keys === undefined) return (address) => XSpec.from({ home: address })
  const spec = XSpec.from(keys)
  const late = [...segmentsOf(String(spec))].find((segment) => !keysOfArrivals.includes(splitSegment(segment).key))
  if (late !== undefined)
    throw new XSpecError(
      `"${splitSegment(late).key}" cannot be had for workers that come by themselves, in "${spec.shown}"; there are ${keysOfArrivals.join(', ')}`,
    )
  return (address) => XSpec.parse(`home=${address}//${spec}`)
}

/** Lets a worker in. */
export function openArrival({ stream, address, layers, keepAlive, admit }: Arrival, connecting: Connecting): Opened {
  connecting.enter('python', address)
  admit(linkLine(bootstrapSize(), layers) + loaderLine('posix'))
  return { transport: openStream(stream, { address, keepAlive }), tried: [`the interpreter of ${address}`] }
}
