/** The token that a server and its clients share: from a file that only its owner may read, or from the environment. */
import { readFileSync, statSync } from 'node:fs'
import { XSpecError } from '../../errors.js'

/** The variable that has it where no file is named. It is never passed on to a worker. */
export const TOKEN_VARIABLE = 'TENDRIL_TOKEN'

/**
 * @param file - The value of `token_file=`.
 * @throws {@link XSpecError} when there is none, or when others may read it.
 */
export function readToken(file: string | undefined): string {
  const token = file === undefined ? (process.env[TOKEN_VARIABLE] ?? '') : readTokenFile(file)
  if (token !== '') return token
  throw new XSpecError(
    file === undefined
      ? `a socket server wants a token: name its file with token_file=, or set ${TOKEN_VARIABLE}`
      : `the token file ${file} is empty`,
  )
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
