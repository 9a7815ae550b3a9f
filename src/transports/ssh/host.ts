/** A host as OpenSSH's own configuration describes it: all that both engines need to know, and nothing about how it was found out. */

/** How much a key that is in no known_hosts file is trusted; `StrictHostKeyChecking` of ssh_config(5). */
export type HostKeyChecking = 'yes' | 'ask' | 'accept-new' | 'no'

/** What `ssh HOST` would do, resolved: tokens expanded, paths absolute, defaults filled in. Names are those of ssh_config(5). */
export interface ResolvedHost {
  /** What the user wrote, for messages and for the `ssh` command: `web1` or `user@web1`. */
  readonly destination: string
  /** The words that stand before the destination on a command line of `ssh`, for the engine that runs it. */
  readonly sshArguments: readonly string[]
  readonly hostname: string
  readonly port: number
  readonly user: string
  /** In the order in which they are tried; files that do not exist are left out unless the user named them. */
  readonly identityFiles: readonly string[]
  readonly identitiesOnly: boolean
  /** The agent's socket; undefined when there is none or it is not to be used. */
  readonly identityAgent: string | undefined
  readonly certificateFiles: readonly string[]
  /** The agent's socket to forward, if any. */
  readonly forwardAgent: string | undefined
  /** The hops of ProxyJump, from here to there, as the user wrote them; empty when there are none. */
  readonly proxyJump: readonly string[]
  /** Run by the user's shell; tokens are expanded. */
  readonly proxyCommand: string | undefined
  readonly hostKeyAlias: string | undefined
  readonly userKnownHostsFiles: readonly string[]
  readonly globalKnownHostsFiles: readonly string[]
  readonly strictHostKeyChecking: HostKeyChecking
  readonly hashKnownHosts: boolean
  /** Seconds; undefined when the user did not set it. */
  readonly serverAliveInterval: number | undefined
  readonly serverAliveCountMax: number | undefined
  /** Seconds; undefined when the user did not set it. */
  readonly connectTimeout: number | undefined
  readonly addressFamily: 'any' | 'inet' | 'inet6'
  readonly bindAddress: string | undefined
  /** Method names in the order of PreferredAuthentications, those that are switched off left out. */
  readonly authentications: readonly string[]
  /** No questions may be asked. */
  readonly batchMode: boolean
  /** Names of algorithms in order of preference; empty when not known. */
  readonly kexAlgorithms: readonly string[]
  readonly ciphers: readonly string[]
  readonly macs: readonly string[]
  readonly hostKeyAlgorithms: readonly string[]
  readonly compression: boolean
  /** The user's own control socket, when a path for one is configured; whether it is alive is not said. */
  readonly controlPath: string | undefined
  /** `SetEnv` of the configuration. */
  readonly setEnv: Readonly<Record<string, string>>
  /** Why ssh2 cannot do what the configuration asks for, in words, such as `certificate ~/.ssh/id-cert.pub`; undefined when it can. */
  readonly needsOpenSsh: string | undefined
}
