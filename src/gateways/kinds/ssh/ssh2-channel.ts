/**
 * Opens a session channel and asks for a command in it without waiting for the answer to that. What ssh2 offers (`exec`)
 * waits, and so costs every gateway a round trip: here its parts are called one by one. Where they are not what they are in
 * the version that this was written against, ssh2's own way is taken.
 */
import type { ClientChannel, Client as Ssh2Client } from 'ssh2'
import { SessionRefused } from './connection.js'

/** What of ssh2's own state is used. */
interface Internals {
  readonly _chanMgr?: { add(callback: unknown): number; remove(id: number): void }
  readonly _protocol?: {
    session(id: number, window: number, packetBytes: number): void
    exec(id: number, command: string, wantsReply: boolean): void
    openssh_agentForward(id: number, wantsReply: boolean): void
    env(id: number, name: string, value: string, wantsReply: boolean): void
  }
  /** Whether what a host opens to reach the agent is let through. */
  _agentFwdEnabled?: boolean
}

interface ChannelInternals {
  readonly outgoing?: { readonly id: number }
  readonly _callbacks?: ((failed: boolean | Error) => void)[]
  subtype?: string
  allowHalfOpen: boolean
}

// ssh2's own, which its channels are made for.
const WINDOW_BYTES = 2 * 1024 * 1024
const PACKET_BYTES = 32 * 1024

/** How a session is asked for. */
export interface SessionRequest {
  readonly command: string
  readonly forwardsAgent: boolean
  /** Asked for, as ssh does: what the host does not accept it leaves out without a word. */
  readonly environment: Readonly<Record<string, string>>
  /** The host will not run the command, which is learned after the channel was opened. */
  onRefusal(): void
}

/**
 * The channel of a session in which the command has been asked for; whatever is written to it goes right behind the request.
 *
 * @throws {@link SessionRefused} when the host gives no further session.
 */
export function openSessionChannel(client: Ssh2Client, request: SessionRequest): Promise<ClientChannel> {
  const internals = client as unknown as Internals // declared nowhere: see above
  const { _chanMgr: channels, _protocol: protocol } = internals
  if (
    typeof channels?.add !== 'function' ||
    typeof protocol?.session !== 'function' ||
    typeof protocol.exec !== 'function' ||
    typeof protocol.env !== 'function' ||
    typeof protocol.openssh_agentForward !== 'function'
  )
    return openSlowly(client, request)
  return new Promise((resolve, reject) => {
    const onOpened = (error: Error | undefined, channel: ClientChannel): void => {
      if (error !== undefined) return reject(refusalOf(error))
      const inner = channel as unknown as ChannelInternals
      const id = inner.outgoing?.id
      if (id === undefined || inner._callbacks === undefined)
        return reject(new Error('this version of ssh2 is not known'))
      if (request.forwardsAgent) {
        internals._agentFwdEnabled = true
        inner._callbacks.push(() => undefined)
        protocol.openssh_agentForward(id, true)
      }
      for (const [name, value] of Object.entries(request.environment)) protocol.env(id, name, value, false)
      inner._callbacks.push((failed) => {
        if (failed !== false) request.onRefusal()
      })
      inner.subtype = 'exec'
      inner.allowHalfOpen = true
      protocol.exec(id, request.command, true)
      resolve(channel)
    }
    onOpened.type = 'session'
    const id = channels.add(onOpened)
    if (id === -1) return reject(new SessionRefused('ssh2 has no channel left'))
    protocol.session(id, WINDOW_BYTES, PACKET_BYTES)
  })
}

function openSlowly(client: Ssh2Client, request: SessionRequest): Promise<ClientChannel> {
  const options = { env: request.environment, agentForward: request.forwardsAgent } as object // agentForward is not declared
  return new Promise((resolve, reject) => {
    client.exec(request.command, options, (error, channel) => {
      if (error === undefined) resolve(channel)
      else reject(refusalOf(error))
    })
  })
}

function refusalOf(error: Error): Error {
  return 'reason' in error ? new SessionRefused(error.message, { cause: error }) : error
}
