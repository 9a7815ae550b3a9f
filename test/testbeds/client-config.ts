/** An ssh_config file by which a server of a bed is `Host bed`, and nothing of the machine's own configuration counts. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyPair } from './keys.js'

/** A server as its clients see it. */
export interface Destination {
  readonly address: string
  readonly port: number
  readonly user: string
  /** The user's key, which the server lets in. */
  readonly userKey: KeyPair
  readonly hostKeys: readonly KeyPair[]
}

/** What a client is to do beside that. */
export interface ClientOptions {
  /** Lines for `Host bed` in ssh_config, before all others: the first value of a keyword is the one that counts. */
  readonly clientConfig?: readonly string[]
  /** Lines for ssh_config after `Host bed`, such as further `Host` blocks. */
  readonly moreHosts?: readonly string[]
}

/** Where the files are that were written, and the spec of a gateway that uses them. */
export interface ClientFiles {
  readonly knownHostsFile: string
  /** ssh_config: `Host bed` is the server. */
  readonly configFile: string
  readonly spec: string
}

/** Writes ssh_config and known_hosts into a folder. */
export function writeClientFiles(folder: string, to: Destination, options: ClientOptions): ClientFiles {
  const knownHostsFile = join(folder, 'known_hosts')
  const configFile = join(folder, 'ssh_config')
  const name = to.port === 22 ? to.address : `[${to.address}]:${to.port}`
  const lines = [
    ...(options.clientConfig ?? []),
    `HostName ${to.address}`,
    `Port ${to.port}`,
    `User ${to.user}`,
    `IdentityFile ${to.userKey.file}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${knownHostsFile}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
  ]
  writeFileSync(knownHostsFile, to.hostKeys.map(({ publicKey }) => `${name} ${publicKey}\n`).join(''))
  writeFileSync(
    configFile,
    ['Host bed', ...lines.map((line) => `  ${line}`), ...(options.moreHosts ?? []), ''].join('\n'),
  )
  return { knownHostsFile, configFile, spec: `ssh=bed//ssh_config=${configFile}` }
}
