/**
 * Accounts that exist for one server only: copies of the machine's lists with a few lines more, mounted over them in the
 * server's own mount namespace. The machine's own accounts are not touched, and nothing has to be undone.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An account of a bed. It has the rights of root, so that it may run every interpreter of this machine, unless it has an id of its own. */
export interface Account {
  readonly name: string
  /** Its login shell; /bin/sh when absent. */
  readonly shell?: string | undefined
  /** Whether its shell is one that /etc/shells does not list: su then lets nobody choose another. */
  readonly isRestricted?: boolean | undefined
  /** Its home folder, which need not exist; an empty one of its own when absent. */
  readonly home?: string | undefined
  /** Whether {@link password} opens it. */
  readonly hasPassword?: boolean | undefined
  /** 0 when absent. */
  readonly uid?: number | undefined
}

/** The password of every account that has one. */
export const password = 'correct horse'

// crypt(3) of the password; Node has no function for it.
const passwordHash =
  '$6$tendrilbed$cWMv/UAydDCjXYuD9M01fTrftisJ43RLZTmweXTmEt3vWyMf0UW5PVN7GXXK.hRgTDnUkmEEK04CK/fbC2p570'

/** The home folder of an account. */
export function homeOf({ name, home }: Account, folder: string): string {
  return home ?? join(folder, 'home', name)
}

/** Writes the lists into a folder. @returns The lines of shell that put them in their place. */
export function writeAccounts(accounts: readonly Account[], folder: string): string[] {
  if (accounts.length === 0) return []
  for (const account of accounts) {
    if (account.home === undefined) mkdirSync(homeOf(account, folder), { recursive: true, mode: 0o700 })
  }
  const shell = ({ shell = '/bin/sh' }: Account): string => shell
  const lists: Record<string, string[]> = {
    passwd: accounts.map((account) => {
      const { name, uid = 0 } = account
      return `${name}:x:${uid}:${uid}::${homeOf(account, folder)}:${shell(account)}`
    }),
    shadow: accounts.map(({ name, hasPassword }) => `${name}:${hasPassword ? passwordHash : '*'}:20000:0:99999:7:::`),
    shells: accounts.filter(({ isRestricted }) => isRestricted !== true).map(shell),
  }
  return Object.entries(lists).map(([name, lines]) => {
    const path = join(folder, name)
    writeFileSync(path, `${contentOf(`/etc/${name}`)}${lines.join('\n')}\n`, {
      mode: name === 'shadow' ? 0o600 : 0o644,
    })
    return `mount --bind '${path}' /etc/${name}`
  })
}

function contentOf(path: string): string {
  const text = readFileSync(path, 'utf8')
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}
