/** Whether this user has Kerberos tickets. Debian's ssh_config allows GSSAPI for everybody, so that alone says nothing. */
import { existsSync } from 'node:fs'
import { localUser } from '../../../transports/local-user.js'
import { runProgram } from './program.js'

// It reads a file, or asks a service of this machine.
const KLIST_MS = 2000

/**
 * True when there are tickets that have not expired, which `klist` knows. Where it is missing a place for tickets that
 * exists counts, but only for who has no key to log in with instead.
 */
export async function hasKerberosTickets(hasKeys: boolean): Promise<boolean> {
  const cache = process.env['KRB5CCNAME']
  const usual = `/tmp/krb5cc_${localUser().uid}`
  if (cache === undefined && !existsSync(usual) && !existsSync('/etc/krb5.conf')) return false
  const outcome = await runProgram(['klist', '-s'], AbortSignal.timeout(KLIST_MS)).catch(() => ({
    exitCode: undefined,
  }))
  if (outcome !== undefined) return outcome.exitCode === 0
  if (hasKeys) return false
  const path = cache?.replace(/^FILE:/, '') ?? usual
  return /^[A-Z]+:/.test(path) || existsSync(path)
}
