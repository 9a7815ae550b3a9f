import { XSpecError } from '../../../errors.js'

/** A port of a host. */
export interface Address {
  readonly hostname: string
  readonly port: number
  /** Both, as they were written. */
  readonly address: string
}

/**
 * Reads HOST:PORT, an IPv6 address in brackets.
 *
 * @param minPort - 0 where any free port will do.
 * @throws {@link XSpecError}
 */
export function readAddress(address: string, minPort = 1): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address) ?? []
  const hostname = bracketed ?? plain
  const port = Number(digits)
  if (hostname !== undefined && port >= minPort && port <= 65_535) return { hostname, port, address }
  throw new XSpecError(`"socket=${address}" is no HOST:PORT; write socket=10.0.0.4:8888, or socket=[::1]:8888`)
}
