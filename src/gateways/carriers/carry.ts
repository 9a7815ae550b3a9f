/** Has one gateway's worker start a process beside it, or connect from there, and carry the bytes: what `via=` is, and crowded hosts need. */
import type { Channel } from '../../channels/channel.js'
import { EndOfChannelError } from '../../errors.js'
import { secondsOf } from '../../timer.js'
import { attendantScript } from '../../transports/attendant.js'
import { openChannelTransport } from '../../transports/channel.js'
import type { Command } from '../../transports/origin.js'
import type { TcpOptions } from '../../transports/tcp.js'
import type { Transport } from '../../transports/transport.js'
import { equip } from '../equip.js'
import type { BaseGateway } from '../gateway.js'

/** Pushes `_tendril.via_remote` and what that takes, which carries processes and connections, unless the gateway has it. */
export function equipCarrier(carrier: BaseGateway): void {
  equip(carrier, import.meta.url, ['processes', 'attending', 'via_remote'])
}

/**
 * A transport to a process beside a carrier's worker. It ends when the process or the carrier does.
 *
 * @param address - What to call where it is.
 */
export function carry(carrier: BaseGateway, { argv, env, isWorker = false }: Command, address: string): Transport {
  equipCarrier(carrier)
  const text = 'from _tendril.via_remote import carry\ncarry(channel, argv, env, attendant)'
  const attendant = isWorker ? attendantScript : null
  const channel = carrier.execAside(text, { argv: [...argv], env: { ...env }, attendant })
  return openChannelTransport(channel, address, (signal) => passSignal(carrier, channel.id, signal))
}

/** By a task of its own, which goes ahead of all items: nobody reads those while the process does not. */
async function passSignal(carrier: BaseGateway, carried: number, signal: number): Promise<void> {
  const text = 'from _tendril.via_remote import pass_signal\npass_signal(carried, signal)'
  try {
    await carrier.execAside(text, { carried, signal }).receiveQuietly()
  } catch (error) {
    if (!(error instanceof EndOfChannelError)) throw error
  }
}

/** The channel of a connection that a carrier's worker is to make. It says first whether it could. */
export function carryConnection(
  carrier: BaseGateway,
  { hostname, port, timeoutMs }: TcpOptions,
): Channel<unknown, unknown, BaseGateway> {
  equipCarrier(carrier)
  const timeout = secondsOf(timeoutMs)
  const text = 'from _tendril.via_remote import connect\nconnect(channel, host, port, timeout)'
  return carrier.execAside(text, { host: hostname, port, timeout })
}
