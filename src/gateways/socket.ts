/** Gateways to a server on a socket: `socket=10.0.0.4:8888//tls//token_file=…`, which `tendril serve` runs. */
import { XSpecError } from '../errors.js'
import type { GatewayKind } from './kind.js'
import { openAtServer, type Place } from './server.js'
import type { XSpec } from './xspec.js'

export const socket: GatewayKind = {
  key: 'socket',
  summary: 'a socket server',
  open: (spec, context) => openAtServer(spec, parsePlace(spec), context),
}

function parsePlace(spec: XSpec): Place {
  const address = spec.socket ?? ''
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address) ?? []
  const hostname = bracketed ?? plain
  const port = Number(digits)
  if (hostname === undefined || port < 1 || port > 65_535)
    throw new XSpecError(`"socket=${address}" is no HOST:PORT; write socket=10.0.0.4:8888, or socket=[::1]:8888`)
  return { hostname, port, address, isTls: spec.tls }
}
