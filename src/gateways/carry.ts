/** Has one gateway's worker start an interpreter beside it and carry its bytes: what `via=` is, and crowded hosts need. */
import { readFileSync } from 'node:fs'
import { openChannelTransport } from '../transports/channel.js'
import type { Transport } from '../transports/transport.js'
import type { Gateway } from './gateway.js'

const source = readFileSync(new URL('./via_remote.py', import.meta.url), 'utf8')

/** What is started there. */
export interface CarriedCommand {
  /** The words of the command; `null` stands for the interpreter of the carrier. */
  readonly argv: readonly (string | null)[]
  readonly env: Readonly<Record<string, string>>
}

/**
 * A transport to a process beside a carrier's worker. It ends when the process or the carrier does.
 *
 * @param address - What to call where it is.
 */
export function carry(carrier: Gateway, { argv, env }: CarriedCommand, address: string): Transport {
  const channel = carrier.remoteExec(
    { text: source, name: '<tendril>/via_remote.py', function: 'carry' },
    { argv: [...argv], env: { ...env } },
  )
  return openChannelTransport(channel, address)
}
