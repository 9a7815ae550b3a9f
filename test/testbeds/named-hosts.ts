/**
 * A server under names that a page may use, `web1`, `web2` and, behind web1, `db`: for programs that know nothing of the bed.
 * An `ssh` that comes first on PATH reads the configuration of the bed as if it were the user's own.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { program } from './needs.js'
import { startSshd } from './sshd.js'

/** What programs need to see the hosts. */
export interface NamedHosts extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
}

/** Starts the server. */
export async function startNamedHosts(): Promise<NamedHosts> {
  const bed = await startSshd()
  const config = join(bed.folder, 'named_hosts')
  const lines = [
    `HostName ${bed.address}`,
    `Port ${bed.port}`,
    `User ${bed.user}`,
    `IdentityFile ${bed.userKey.file}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${bed.knownHostsFile}`,
    'GlobalKnownHostsFile /dev/null',
  ]
  writeFileSync(
    config,
    ['Host db', '  ProxyJump web1', 'Host web1 web2 db', ...lines.map((line) => `  ${line}`), ''].join('\n'),
  )
  const bin = join(bed.folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec ${program('ssh')} -F ${config} "$@"\n`)
  chmodSync(join(bin, 'ssh'), 0o755)
  const env = { PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` }
  return { env, [Symbol.asyncDispose]: () => bed.stop() }
}
