/** The token that a server and its clients share: from a file that only its owner may read, or from the environment, as serve.py has it. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { XSpecError } from '../../errors.js'

const VARIABLE = 'TENDRIL_TOKEN'

/**
 * The token of `token_file=`, else of the variable TENDRIL_TOKEN, else of the file that a server of this user made.
 *
 * @throws {@link XSpecError} when there is none, or when others may read it.
 */
export function readToken(file: string | undefined): string {
  const token = file === undefined ? process.env[VARIABLE] || readDefaultFile() : readTokenFile(file)
  if (token !== '') return token
  throw new XSpecError(
    file === undefined
      ? `a socket server wants a token: name its file with token_file=, or set ${VARIABLE}`
      : `the token file ${file} is empty`,
  )
}

function readDefaultFile(): string {
  const path = join(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'tendril', 'token')
  return existsSync(path) ? readTokenFile(path) : ''
}

function readTokenFile(file: string): string {
  try {
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0)
      throw new XSpecError(`others may read the token in ${file}: run "chmod 600 ${file}"`)
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (error instanceof XSpecError) throw error
    throw new XSpecError(`the token file ${file} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}
