/** What both engines promise: a connection to one host that opens sessions, each of which runs one command. */
import type { Connecting } from '../../../transports/connecting.js'
import type { Transport } from '../../../transports/transport.js'
import type { ResolvedHost } from './host.js'

/** A connection that has logged in. Many gateways share it. */
export interface SshConnection {
  /** Where it leads: `user@host` and the port when it is not 22. */
  readonly address: string
  /** Settles when the connection has ended, with why if it broke. Never rejects. */
  readonly closed: Promise<Error | undefined>
  /**
   * Opens a session and has the host's login shell run a command in it. What is written at once is sent right behind the
   * request, without waiting for an answer to it.
   *
   * @param onOpen - Called once the session is known to be open, which may be later.
   * @throws {@link SessionRefused} when the host gives this connection no further session; the transport may also end with it.
   */
  openSession(command: string, connecting: Connecting, onOpen?: () => void): Promise<Transport>
  /** Ends it in good order. What keeps this process alive is its sessions, never the connection. */
  close(): Promise<void>
}

/** A way to speak SSH. */
export interface SshEngine {
  readonly name: 'ssh2' | 'openssh' | 'either'
  /**
   * Connects, verifies the host's key and logs in.
   *
   * @throws {@link ConnectFault} that names the phase and what to do.
   */
  connect(host: ResolvedHost, connecting: Connecting): Promise<SshConnection>
}

/** The host gives this connection no further session (MaxSessions of sshd_config(5)). */
export class SessionRefused extends Error {}
