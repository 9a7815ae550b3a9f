/** Gateways whose way begins beside the worker of another one: `popen//via=ID`, `ssh=inner//via=ID`, and so on, nested as deep as one likes. */
import { connectOverChannel } from '../../transports/channel-stream.js'
import type { Origin } from '../../transports/origin.js'
import type { BaseGateway } from '../gateway.js'
import { carry, carryConnection } from './carry.js'

const origins = new WeakMap<BaseGateway, Origin>()

/** The machine of a gateway's worker; the same for all that it carries, so that they can share connections. */
export function originVia(carrier: BaseGateway): Origin {
  let origin = origins.get(carrier)
  if (origin === undefined) {
    origin = makeOrigin(carrier)
    origins.set(carrier, origin)
  }
  return origin
}

function makeOrigin(carrier: BaseGateway): Origin {
  return {
    carrier: carrier.id,
    start: (command) => carry(carrier, command, carrier.id),
    connect: async (options, signal) => {
      signal.throwIfAborted()
      const connected = await connectOverChannel(carryConnection(carrier, options), signal)
      options.onFound?.()
      return connected
    },
  }
}
