/** SSH as npm's ssh2 speaks it, in this process: the engine for all that needs no certificates, hardware keys or Kerberos. */
import type { Connecting } from '../../../transports/connecting.js'
import { here, type Origin } from '../../../transports/origin.js'
import type { SshEngine } from './connection.js'
import { type Hop, openHop } from './hops.js'
import type { ResolvedHost } from './host.js'
import { algorithmsFor } from './ssh2-algorithms.js'
import type { Ssh2Connection } from './ssh2-connection.js'
import { agentToForward } from './ssh2-forwarded-agent.js'
import { Login } from './ssh2-login.js'

/** @param origin - Where the way to a host begins. */
export function ssh2EngineFrom(origin: Origin): SshEngine {
  const options = { origin, connectJumpHost: logIn }
  return {
    name: 'ssh2',
    connect: async (host, connecting) => logIn(host, await openHop(host, connecting, options), connecting),
  }
}

export const ssh2Engine: SshEngine = ssh2EngineFrom(here)

/** @throws ConnectFault; then the hop has been closed. */
async function logIn(host: ResolvedHost, hop: Hop, connecting: Connecting): Promise<Ssh2Connection> {
  try {
    const { default: ssh2 } = await import('ssh2')
    const { forwardAgent } = host
    const agent = forwardAgent === undefined ? undefined : await agentToForward(forwardAgent)
    const algorithms = await algorithmsFor(host)
    connecting.signal.throwIfAborted()
    return await new Login(new ssh2.Client(), host, hop, connecting).run({ algorithms, agent })
  } catch (error) {
    hop.close()
    throw error
  }
}
