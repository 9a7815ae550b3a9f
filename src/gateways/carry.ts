/** Has one gateway's worker start a process beside it, or connect from there, and carry the bytes: what `via=` is, and crowded hosts need. */
import { readFileSync } from 'node:fs'
import type { Channel } from '../channels/channel.js'
import { openChannelTransport } from '../transports/channel.js'
import type { Command } from '../transports/origin.js'
import type { TcpOptions } from '../transports/tcp.js'
import type { Transport } from '../transports/transport.js'
import type { Gateway } from './gateway.js'

const source = {
  text: readFileSync(new URL('./via_remote.py', import.meta.url), 'utf8'),
  name: '<tendril>/via_remote.py',
}

/**
 * A transport to a process beside a carrier's worker. It ends when the process or the carrier does.
 *
 * @param address - What to call where it is.
 */
export function carry(carrier: Gateway, { argv, env }: Command, address: string): Transport {
  const channel = carrier.remoteExec({ ...source, function: 'carry' }, { argv: [...argv], env: { ...env } })
  return openChannelTransport(channel, address)
}

/** The channel of a connection that a carrier's worker is to make. It says first whether it could. */
export function carryConnection(
  carrier: Gateway,
  { hostname, port, timeoutMs }: TcpOptions,
): Channel<unknown, unknown, Gateway> {
  const timeout = timeoutMs === undefined ? null : timeoutMs / 1000
  return carrier.remoteExec({ ...source, function: 'connect' }, { host: hostname, port, timeout })
}
