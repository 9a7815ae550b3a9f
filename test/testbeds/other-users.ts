/**
 * sudo and su as a user of the machine who is not root: the real programs, run by the user `anne` among accounts and rules that
 * exist for them only, in a mount namespace of their own. Root only.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, writeAccounts } from './accounts.js'
import { program } from './needs.js'
import { usePath, writePrograms } from './path.js'

/** What sudo is to allow, and whom there is. */
export interface OtherUserOptions {
  /** Lines of sudoers. */
  readonly rules?: readonly string[]
  /** Beside anne. */
  readonly accounts?: readonly Account[]
}

/** `sudo` and `su` of this process are anne's until it is stopped. */
export interface OtherUsers extends AsyncDisposable {
  /** The programs, for whom else is to find them. */
  readonly env: { readonly PATH: string }
  /** Starts its arguments as anne. */
  readonly asAnne: string
  stop(): Promise<void>
}

const anne = 4711

/** Makes the accounts and the rules. */
export function startOtherUsers({ rules = [], accounts = [] }: OtherUserOptions = {}): OtherUsers {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-users-'))
  chmodSync(folder, 0o755)
  const all = [{ name: 'anne', uid: anne, hasPassword: true, home: '/tmp' }, ...accounts]
  writeFileSync(join(folder, 'sudoers'), `Defaults use_pty, !syslog, !mail_badpass\n${rules.join('\n')}\n`, {
    mode: 0o440,
  })
  const prepare = [
    ...writeAccounts(all, folder),
    `mount --bind '${join(folder, 'sudoers')}' /etc/sudoers`,
    // Where sudo remembers for whom it needs not ask again.
    'mkdir -p /run/sudo && mount -t tmpfs none /run/sudo',
    `exec setpriv --reuid=${anne} --regid=${anne} --clear-groups -- "$@"`,
  ]
  writeFileSync(join(folder, 'prepare'), prepare.join('\n'))
  const enter = `exec unshare --mount --propagation private sh -e '${join(folder, 'prepare')}'`
  const bin = join(folder, 'bin')
  const path = writePrograms(bin, {
    'as-anne': `${enter} "$@"`,
    sudo: `${enter} '${program('sudo')}' "$@"`,
    su: `${enter} '${program('su')}' "$@"`,
  })
  const unuse = usePath(path)
  const stop = async (): Promise<void> => {
    unuse()
    rmSync(folder, { recursive: true })
  }
  return { env: { PATH: path }, asAnne: join(bin, 'as-anne'), stop, [Symbol.asyncDispose]: stop }
}
