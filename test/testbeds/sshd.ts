/**
 * A real OpenSSH server in a scratch folder, with everything that it takes to log in to it: `ssh=bed//ssh_config=FILE`.
 * Nothing of this machine's own SSH is read or written.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { type Account, homeOf, writeAccounts } from './accounts.js'
import { type ClientFiles, type ClientOptions, type Destination, writeClientFiles } from './client-config.js'
import { type KeyType, makeKey } from './keys.js'
import { hasNamespaces, program } from './needs.js'
import { freePort, Server } from './server.js'

/** What a server is to be like, and its client. */
export interface SshdOptions extends ClientOptions {
  /** A loopback address, or that of the host in `netns`; 127.0.0.1 when absent. */
  readonly address?: string
  /** A free one when absent. */
  readonly port?: number
  /** The host keys that it has; ed25519 when absent. */
  readonly hostKeys?: readonly KeyType[]
  /** Lines for sshd_config, before all others: the first value of a keyword is the one that counts. */
  readonly config?: readonly string[]
  /** `Match` blocks for sshd_config, after all others. */
  readonly matches?: readonly string[]
  /** What every session finds in its environment. */
  readonly env?: Readonly<Record<string, string>>
  /**
   * Accounts that only this server has; root only. The first is the one that `Host bed` logs in to. When absent one with an
   * empty home: what the startup files of a machine's own accounts do is no part of a bed. Not as root, it is the user's own.
   */
  readonly accounts?: readonly Account[]
  /** Lines of shell that run in the server's own mount namespace before it starts; root only. `$BED` is the scratch folder. */
  readonly prepare?: readonly string[]
  /** The network namespace to run in. */
  readonly netns?: string
}

/** A server that listens, and the files to reach it with. */
export interface Sshd extends Destination, ClientFiles, AsyncDisposable {
  /** The scratch folder, without blanks; `stop` removes it. */
  readonly folder: string
  /** Where a login starts. */
  readonly home: string
  readonly authorizedKeysFile: string
  /** The server's own process and log; `server.pids()` are those that logins started. */
  readonly server: Server
  /** Ends it with all its sessions, and removes its files. */
  stop(): Promise<void>
}

/** Starts a server and waits until it listens. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const { address = '127.0.0.1', hostKeys: types = ['ed25519'] } = options
  const accounts = options.accounts ?? (hasNamespaces ? [{ name: 'bed', shell: '/bin/bash' }] : [])
  const folder = mkdtempSync(join(tmpdir(), 'tendril-sshd-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    chmodSync(folder, 0o755) // accounts look for their keys in it with their own rights
    const hostKeys = types.map((type) => makeKey(join(folder, `host_${type}`), type))
    const userKey = makeKey(join(folder, 'id_ed25519'))
    const user = accounts[0]?.name ?? userInfo().username
    const destination = { address, port: options.port ?? (await freePort(address)), user, userKey, hostKeys }
    const authorizedKeysFile = join(folder, 'authorized_keys')
    writeFileSync(authorizedKeysFile, `${userKey.publicKey}\n`)
    writeFileSync(join(folder, 'sshd_config'), serverConfig(options, destination, folder))
    const files = writeClientFiles(folder, destination, options)
    const server = await start({ ...options, accounts }, folder)
    const stop = async (): Promise<void> => {
      await server.stop()
      remove()
    }
    const home = accounts[0] === undefined ? homedir() : homeOf(accounts[0], folder)
    return { ...destination, ...files, folder, home, authorizedKeysFile, server, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    remove()
    throw error
  }
}

function start({ accounts = [], prepare = [], netns }: SshdOptions, folder: string): Promise<Server> {
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 }) // sshd refuses to start without
  return Server.start({
    command: [program('sshd'), '-D', '-e', '-f', join(folder, 'sshd_config')],
    ready: /Server listening on .* port \d+/,
    prepare: [...writeAccounts(accounts, folder), ...(prepare.length > 0 ? [`BED='${folder}'`, ...prepare] : [])],
    netns,
  })
}

function serverConfig({ config = [], matches = [], env = {} }: SshdOptions, at: Destination, folder: string): string {
  const variables = Object.entries(env).map(([name, value]) => `"${name}=${value}"`)
  return [
    ...config,
    ...(variables.length > 0 ? [`SetEnv ${variables.join(' ')}`] : []),
    `ListenAddress ${at.address}`,
    `Port ${at.port}`,
    ...at.hostKeys.map(({ file }) => `HostKey ${file}`),
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    `PidFile ${join(folder, 'sshd.pid')}`,
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PrintMotd no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'Subsystem sftp internal-sftp',
    'LogLevel VERBOSE',
    // The defaults are made for the internet, and hold up whoever logs in often.
    'MaxStartups 1000',
    'MaxSessions 100',
    ...(sshdVersion() >= 9.8 ? ['PerSourcePenalties no'] : []),
    ...matches,
    '',
  ].join('\n')
}

/** As a number, such as 9.2. */
function sshdVersion(): number {
  const { stdout, stderr } = spawnSync(program('sshd'), ['-V'], { encoding: 'utf8' })
  return Number(/OpenSSH_(\d+\.\d+)/.exec(stdout + stderr)?.[1])
}

/** Runs a command on a server with OpenSSH's own client: what ought to work for us must work for it. */
export function sshTo({ configFile }: ClientFiles, ...command: readonly string[]): string {
  return execFileSync('ssh', ['-F', configFile, 'bed', ...command], { encoding: 'utf8', stdio: 'pipe' })
}
