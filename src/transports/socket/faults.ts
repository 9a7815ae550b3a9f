/** Why a server was not reached, in words. */
import { AuthenticationError, BootstrapError, HostNotFoundError, type Phase } from '../../errors.js'
import { asError } from '../../thrown.js'
import { ConnectFault } from '../connecting.js'
import { UpgradeFault } from '../websocket/connect.js'
import { MessageFault } from '../websocket/stream.js'
import { HandshakeFault } from './handshake.js'

/** Puts whatever went wrong on the way to a server into words, with what to do. */
export function socketFault(address: string, error: unknown, isTls: boolean): Error {
  if (error instanceof HandshakeFault) return handshakeFault(address, error, isTls)
  if (error instanceof UpgradeFault) return upgradeFault(address, error, isTls)
  if (error instanceof MessageFault)
    return unreachable(
      'authenticate',
      `${address} is reached, but ${error.message}. Check that it is "tendril serve"`,
      error,
    )
  if (!(error instanceof Error) || !('code' in error)) return asError(error)
  const code = String(error.code)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return unreachable('resolve', `there is no host for ${address}. Check its spelling`, error)
  if (code === 'ECONNREFUSED')
    return unreachable(
      'connect',
      `${address} refused the connection: no server listens there. Run "tendril serve" on that host, and check the port`,
      error,
    )
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return unreachable(
      'connect',
      `${address} cannot be reached (${code}). Check that the host is up and that nothing filters the port`,
      error,
    )
  if (isTls) return tlsFault(address, code, error)
  return unreachable('connect', `${address}: ${error.message}`, error)
}

function handshakeFault(address: string, { kind, message }: HandshakeFault, isTls: boolean): ConnectFault {
  const advice = {
    proof:
      'Check the token (token_file= or TENDRIL_TOKEN) against the one of "tendril serve"; nothing of yours was sent',
    refused:
      'It does so after a wrong token, for a while after several, and when it has as many workers as it may; its log tells which',
    protocol: `Check the port${isTls ? '' : `, and whether the server wants TLS (${tlsOf(address)})`}`,
    ended: `Check that it is "tendril serve"${isTls ? '' : `, and whether it wants TLS (${tlsOf(address)})`}`,
  }[kind]
  const text = `${address} is reached, but ${message}. ${advice}`
  if (kind === 'proof' || kind === 'refused')
    return new ConnectFault(
      'authenticate',
      text,
      (full) => new AuthenticationError(full, { offered: ['token'], tried: ['token'] }),
    )
  return unreachable('authenticate', text)
}

function upgradeFault(address: string, fault: UpgradeFault, isTls: boolean): ConnectFault {
  const { message, status } = fault
  return unreachable(
    'connect',
    `${address} is reached, but it is no WebSocket: ${message}. ${adviceFor(status, isTls)}`,
    fault,
  )
}

function adviceFor(status: number | undefined, isTls: boolean): string {
  const tls = isTls ? '' : ', and whether it wants TLS (wss://)'
  if (status === undefined) return `Check the port, that "tendril serve" listens there${tls}`
  if (status >= 300 && status < 400)
    return 'Nobody is followed elsewhere: write the URL that it leads to, if you trust it'
  if (status === 401 || status === 403)
    return 'Have the proxy let this path through: "tendril serve" asks for the token itself'
  if (status >= 502 && status <= 504) return 'Check that "tendril serve" runs where the proxy looks for it'
  return `Check the path, that the proxy passes on Upgrade and Connection${tls}`
}

/** What has a server spoken to with TLS. */
function tlsOf(address: string): string {
  return address.startsWith('ws:') || address.startsWith('wss:') ? 'wss://' : 'the key tls'
}

function tlsFault(address: string, code: string, error: Error): ConnectFault {
  const trust: Record<string, string> = {
    ERR_FINGERPRINT:
      'That is not the one that fingerprint= names: somebody may be listening in, or the server has a new one',
    CERT_HAS_EXPIRED: 'Have it renewed',
    ERR_TLS_CERT_ALTNAME_INVALID: 'Use a name that is in the certificate, or fingerprint=',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'Nobody vouches for it: name it with ca=, or its fingerprint with fingerprint=',
    SELF_SIGNED_CERT_IN_CHAIN: 'Name the authority with ca=',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Name the authority with ca=',
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'Name the authority with ca=',
  }
  const why = 'reason' in error ? error.reason : error.message
  if (/^(ERR_SSL_|EPROTO$|ECONN|EPIPE$)/.test(code))
    return unreachable(
      'authenticate',
      `${address} does not speak TLS (${why}). Leave it away (${tlsOf(address)}) if the server has none`,
      error,
    )
  const advice = trust[code] ?? 'Name who vouches for it with ca=, or itself with fingerprint='
  const text = `the certificate of ${address} is not good (${why}). ${advice}`
  return new ConnectFault('host key', text, (full) => new BootstrapError(full, { phase: 'host key' }), { cause: error })
}

function unreachable(phase: Phase, message: string, cause?: Error): ConnectFault {
  return new ConnectFault(phase, message, (full) => new HostNotFoundError(full, { phase }), { cause })
}
