/** The tokens (`%h`) and variables (`${HOME}`) that ssh_config(5) has in the values of its keywords. */
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { HostNotFoundError } from '../../../errors.js'
import { ConnectFault } from '../../../transports/connecting.js'
import { expandTilde, localUser } from '../../../transports/local-user.js'

/** What the tokens stand for on the way to one host. */
export interface TokenValues {
  /** The real name, after `HostName`. */
  readonly hostname: string
  /** The name as the user wrote it. */
  readonly originalHost: string
  readonly port: number
  /** Who logs in there. */
  readonly user: string
  readonly hostKeyAlias: string | undefined
}

/** Expands `%h` and the like; what is no token stays as it is. */
export function expandTokens(text: string, values: TokenValues): string {
  return text.replace(/%(.)/g, (whole, token: string) => tokenValue(token, values) ?? whole)
}

/**
 * Expands `~`, variables and tokens, in a value that names a file or a socket.
 *
 * @throws {@link ConnectFault} for a variable that is not set, as ssh does.
 */
export function expandPath(text: string, values: TokenValues): string {
  return expandTokens(expandVariables(expandTilde(text)), values)
}

function expandVariables(text: string): string {
  return text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = process.env[name]
    if (value !== undefined) return value
    const message = `the ssh configuration has "${text}", and the variable ${name} is not set. Set it, or write the path out`
    throw new ConnectFault('resolve', message, (full) => new HostNotFoundError(full, { phase: 'resolve' }))
  })
}

function tokenValue(token: string, values: TokenValues): string | undefined {
  const { hostname: remote, originalHost, port, user, hostKeyAlias } = values
  switch (token) {
    case '%':
      return '%'
    case 'C':
      return createHash('sha1').update(`${hostname()}${remote}${port}${user}`).digest('hex')
    case 'd':
      return localUser().home
    case 'h':
      return remote
    case 'i':
      return String(localUser().uid)
    case 'k':
      return hostKeyAlias ?? originalHost
    case 'L':
      return hostname().split('.')[0]
    case 'l':
      return hostname()
    case 'n':
      return originalHost
    case 'p':
      return String(port)
    case 'r':
      return user
    case 'u':
      return localUser().name
    default:
      return undefined
  }
}
