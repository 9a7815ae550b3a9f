/** Gateways to a server on a socket: `socket=10.0.0.4:8888//tls//token_file=…`, which `tendril serve` runs. */
import type { GatewayKind } from '../../kind.js'
import { openAtServer } from '../server.js'
import { readAddress } from './address.js'
import { openInstalled } from './install.js'

export const socket: GatewayKind = {
  key: 'socket',
  keys: ['token_file', 'tls', 'ca', 'fingerprint', 'insecure', 'installvia'],
  summary: 'a socket server',
  open: (spec, context) => {
    if (spec.installvia !== undefined) return openInstalled(spec, context.gatewayFor('installvia'), context)
    const place = readAddress(spec.socket ?? '')
    const { tls, fingerprint } = spec
    return openAtServer(spec, { ...place, isTls: tls, fingerprint, upgrade: undefined }, context)
  },
}
