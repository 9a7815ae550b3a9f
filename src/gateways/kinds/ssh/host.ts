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
  /** The last hop of ProxyJump, with the way to it; undefined when there is none. */
  readonly jumpHost: ResolvedHost | undefined
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
  /** Seconds; undefined when it takes as long as it takes. */
  readonly connectTimeout: number | undefined
  /** How often to try, a second apart. */
  readonly connectionAttempts: number
  readonly addressFamily: 'any' | 'inet' | 'inet6'
  readonly bindAddress: string | undefined
  /** Method names in the order of PreferredAuthentications, those that are switched off left out. */
  readonly authentications: readonly string[]
  /** How often a password, or the passphrase of a key, is asked for. */
  readonly passwordPrompts: number
  /** No questions may be asked. */
  readonly batchMode: boolean
  /** Names of algorithms in order of preference; empty when not known. */
  readonly kexAlgorithms: readonly string[]
  readonly ciphers: readonly string[]
  readonly macs: readonly string[]
  readonly hostKeyAlgorithms: readonly string[]
  /** By which keys may sign a login. */
  readonly pubkeyAcceptedAlgorithms: readonly string[]
  /** The least that an RSA key must have, the user's and the host's. */
  readonly requiredRsaBits: number
  readonly compression: boolean
  /** The user's own control socket, when a path for one is configured that may be joined; whether it is alive is not said. */
  readonly controlPath: string | undefined
  /** What sessions are given of variables: those of this process that `SendEnv` names, and over them what `SetEnv` sets. */
  readonly environment: Readonly<Record<string, string>>
  /** Keywords that `ssh` is to pass over when it does not know them, as patterns with commas between. */
  readonly ignoreUnknown: string | undefined
  /** Why ssh2 cannot do what the configuration asks for, in words, such as `certificate ~/.ssh/id-cert.pub`; undefined when it can. */
  readonly needsOpenSsh: string | undefined
  /** What says whom to trust and ssh2 would pass over, on the whole way; not even who asks for ssh2 gets it then. */
  readonly forbidsSsh2: string | undefined
}
