/** The token that a server and its clients share: from a file that only its owner may read, or from the environment, as serve.py has it. */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { XSpecError } from '../../errors.js'
import { asError } from '../../thrown.js'

const VARIABLE = 'TENDRIL_TOKEN'
const { O_RDONLY, O_NONBLOCK = 0 } = constants // nobody is waited for who may write to a pipe
const MOST_BYTES = 64 * 1024

/**
 * The token of `token_file=`, else of the variable TENDRIL_TOKEN, else of the file that a server of this user made.
 *
 * @throws {@link XSpecError} when there is none, when others may read it, when it is another user's, or when it is no file of a token's size.
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
    const descriptor = openSync(file, O_RDONLY | O_NONBLOCK)
    try {
      const stats = fstatSync(descriptor)
      if (!stats.isFile() || stats.size > MOST_BYTES)
        throw new XSpecError(`the token file ${file} is no file of at most ${MOST_BYTES} bytes`)
      checkOwner(file, stats)
      return readFileSync(descriptor, 'utf8').trim()
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (error instanceof XSpecError) throw error
    throw new XSpecError(`the token file ${file} cannot be read: ${asError(error).message}`)
  }
}

/** Of what was opened: a name may lead elsewhere a moment later. */
function checkOwner(file: string, { mode, uid }: Stats): void {
  if (process.geteuid === undefined) return // there are no modes on Windows
  if ((mode & 0o077) !== 0) throw new XSpecError(`others may read the token in ${file}: run "chmod 600 ${file}"`)
  if (uid !== process.geteuid())
    throw new XSpecError(
      `the token file ${file} belongs to another user, who knows what is in it; make one of your own`,
    )
}
