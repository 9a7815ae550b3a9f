/** Has one gateway's worker start a process beside it, or connect from there, and carry the bytes: what `via=` is, and crowded hosts need. */
import type { Channel } from '../channels/channel.js'
import { openChannelTransport } from '../transports/channel.js'
import type { Command } from '../transports/origin.js'
import type { TcpOptions } from '../transports/tcp.js'
import type { Transport } from '../transports/transport.js'
import { equip } from './equip.js'
import type { Gateway } from './gateway.js'

/** Pushes `_tendril.via_remote`, which carries processes and connections, unless the gateway has it. */
export function equipCarrier(carrier: Gateway): void {
  equip(carrier, import.meta.url, ['via_remote'])
}

/**
 * A transport to a process beside a carrier's worker. It ends when the process or the carrier does.
 *
 * @param address - What to call where it is.
 */
export function carry(carrier: Gateway, { argv, env }: Command, address: string): Transport {
  equipCarrier(carrier)
  const text = 'from _tendril.via_remote import carry\ncarry(channel, argv, env)'
  return openChannelTransport(carrier.remoteExec(text, { argv: [...argv], env: { ...env } }), address)
}

/** The channel of a connection that a carrier's worker is to make. It says first whether it could. */
export function carryConnection(
  carrier: Gateway,
  { hostname, port, timeoutMs }: TcpOptions,
): Channel<unknown, unknown, Gateway> {
  equipCarrier(carrier)
  const timeout = timeoutMs === undefined ? null : timeoutMs / 1000
  const text = 'from _tendril.via_remote import connect\nconnect(channel, host, port, timeout)'
  return carrier.remoteExec(text, { host: hostname, port, timeout })
}
