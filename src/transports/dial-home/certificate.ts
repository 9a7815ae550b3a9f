/** Certificates of a listener: given, or made for the occasion. */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const DAYS = 3650

/**
 * Makes one that vouches for itself. It is in no file; whoever is to trust it is told its fingerprint.
 *
 * @throws When there is no `openssl`.
 */
export async function selfSigned(): Promise<Certificate> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const args = ['req', '-x509', ...curve, '-days', String(DAYS), '-subj', '/CN=tendril', '-keyout', '-', '-out', '-']
  const { stdout } = await promisify(execFile)('openssl', args).catch((error: unknown) => {
    throw new Error('no certificate can be made: it takes the program openssl. Install it, or give cert and key', {
      cause: error,
    })
  })
  return { cert: sectionOf(stdout, 'CERTIFICATE'), key: sectionOf(stdout, 'PRIVATE KEY') }
}

/** SHA-256, in lower-case hexadecimal digits. @throws When the text is no certificate. */
export function fingerprintOf({ cert }: Certificate): string {
  return new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase()
}

function sectionOf(text: string, name: string): string {
  const [section = ''] = new RegExp(`-----BEGIN ${name}-----[^-]*-----END ${name}-----\\n`).exec(text) ?? []
  return section
}
