/** TLS over a socket that is connected: whom we talk to is known by a certificate authority, or by the certificate itself. */
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import { XSpecError } from '../../errors.js'
import { asError } from '../../thrown.js'

/** Who is trusted: those who vouch (the system's when there is no `ca`), or one certificate. */
export interface TlsTrust {
  readonly hostname: string
  /** In PEM. */
  readonly ca?: Buffer | undefined
  /** SHA-256, in hexadecimal digits, with colons or without. */
  readonly fingerprint?: string | undefined
}

/**
 * Encrypts.
 *
 * @throws The error of Node's TLS, with its `code`; the reason of `signal`.
 */
export function startTls(socket: Duplex, trust: TlsTrust, signal: AbortSignal): Promise<TLSSocket> {
  const { hostname } = trust
  const pinned = trust.fingerprint === undefined ? undefined : digits(trust.fingerprint)
  const ca = trust.ca === undefined ? {} : { ca: trust.ca }
  return new Promise((resolve, reject) => {
    const tls = connect({
      socket,
      ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
      ...ca,
      minVersion: 'TLSv1.2',
      // A certificate that is known by itself needs nobody to vouch for it, nor a name.
      rejectUnauthorized: pinned === undefined,
      checkServerIdentity: (_, certificate) => checkServerIdentity(hostname, certificate),
    })
    const settle = (): void => signal.removeEventListener('abort', onAbort)
    const fail = (error: unknown): void => {
      settle()
      tls.destroy()
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(signal.reason)
    tls.on('error', fail)
    tls.once('close', () => fail(Object.assign(new Error('it hung up'), { code: 'ECONNRESET' })))
    tls.once('secureConnect', () => {
      const shown = digits(tls.getPeerCertificate().fingerprint256 ?? '')
      if (pinned !== undefined && shown !== pinned)
        return fail(Object.assign(new Error(`its certificate is ${shown}`), { code: 'ERR_FINGERPRINT' }))
      settle()
      resolve(tls)
    })
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

function digits(fingerprint: string): string {
  return fingerprint
    .replace(/^sha256:/i, '')
    .replaceAll(':', '')
    .toLowerCase()
}

/**
 * The authorities of `ca=`.
 *
 * @throws {@link XSpecError} when the file cannot be read.
 */
export function readCa(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new XSpecError(`the certificates of ca=${file} cannot be read: ${asError(error).message}`)
  }
}
