/**
 * A real dropbear server in a scratch folder, to be reached as `ssh=bed//ssh_config=FILE`. It takes keys from home folders
 * only, and so has an account of its own: root only.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, homeOf, writeAccounts } from './accounts.js'
import { type ClientFiles, type ClientOptions, type Destination, writeClientFiles } from './client-config.js'
import { type KeyPair, makeKey } from './keys.js'
import { program } from './needs.js'
import { freePort, Server } from './server.js'

/** What a server is to be like, and its client. */
export interface DropbearOptions extends ClientOptions {
  /** A loopback address; 127.0.0.1 when absent. */
  readonly address?: string
  /** The account to log in to; one without a password when absent. */
  readonly account?: Account
  /** Further arguments of dropbear. */
  readonly args?: readonly string[]
}

/** A server that listens, and the files to reach it with. */
export interface Dropbear extends Destination, ClientFiles, AsyncDisposable {
  /** The scratch folder; `stop` removes it. */
  readonly folder: string
  /** The server's own process and log; `server.pids()` are those that logins started. */
  readonly server: Server
  stop(): Promise<void>
}

/** Starts a server and waits until it listens. */
export async function startDropbear(options: DropbearOptions = {}): Promise<Dropbear> {
  const { address = '127.0.0.1', account = { name: 'bed' }, args = [] } = options
  const folder = mkdtempSync(join(tmpdir(), 'tendril-dropbear-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    chmodSync(folder, 0o755)
    const hostKey = makeHostKey(join(folder, 'host'))
    const userKey = makeKey(join(folder, 'id_ed25519'))
    const destination = { address, port: await freePort(address), user: account.name, userKey, hostKeys: [hostKey] }
    const prepare = writeAccounts([account], folder)
    writeAuthorizedKey(homeOf(account, folder), userKey)
    const files = writeClientFiles(folder, destination, options)
    const port = `${address}:${destination.port}`
    const server = await Server.start({
      command: [program('dropbear'), '-F', '-E', '-r', hostKey.file, '-P', join(folder, 'pid'), '-p', port, ...args],
      ready: /Not backgrounding/,
      prepare,
    })
    const stop = async (): Promise<void> => {
      await server.stop()
      remove()
    }
    return { ...destination, ...files, folder, server, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    remove()
    throw error
  }
}

function writeAuthorizedKey(home: string, { publicKey }: KeyPair): void {
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 })
  writeFileSync(join(home, '.ssh', 'authorized_keys'), `${publicKey}\n`, { mode: 0o600 })
}

/** dropbear has a format of its own for keys. */
function makeHostKey(file: string): KeyPair {
  const said = execFileSync(program('dropbearkey'), ['-t', 'ed25519', '-f', file], { encoding: 'utf8', stdio: 'pipe' })
  const publicKey = /^ssh-ed25519 \S+/m.exec(said)?.[0] ?? ''
  const fingerprint = /SHA256:\S+/.exec(said)?.[0] ?? ''
  return { file, publicKey, fingerprint }
}
