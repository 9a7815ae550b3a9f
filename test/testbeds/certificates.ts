/** Certificates of every sort that a server may show, made anew for a test by openssl. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program } from './needs.js'

/** A certificate and its key, as files in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** An authority, and what it vouches for; and one for which nobody does. */
export interface Certificates {
  /** The certificate of the authority. */
  readonly ca: string
  readonly good: Certificate
  readonly ofAnotherName: Certificate
  readonly expired: Certificate
  readonly selfSigned: Certificate
}

/** Makes them for 127.0.0.1. */
export function makeCertificates(folder: string): Certificates {
  const ca = selfSigned(folder, 'ca', '/CN=an authority')
  writeFileSync(join(folder, 'ca.cnf'), authority)
  writeFileSync(join(folder, 'index.txt'), '')
  const signed = (name: string, names: string, end: string): Certificate => {
    const [key, request, cert] = ['key', 'csr', 'pem'].map((ending) => `${name}.${ending}`) as [string, string, string]
    openssl(folder, `req ${newKey} -subj /CN=${name} -addext subjectAltName=${names} -keyout ${key} -out ${request}`)
    const validity = `-startdate 20200101000000Z -enddate ${end}0101000000Z`
    openssl(
      folder,
      `ca -batch -config ca.cnf -cert ${ca.cert} -keyfile ${ca.key} -in ${request} -out ${cert} ${validity}`,
    )
    return { cert: join(folder, cert), key: join(folder, key) }
  }
  return {
    ca: ca.cert,
    good: signed('good', 'IP:127.0.0.1', '2049'),
    ofAnotherName: signed('other', 'DNS:example.test', '2049'),
    expired: signed('expired', 'IP:127.0.0.1', '2021'),
    selfSigned: selfSigned(folder, 'self', '/CN=127.0.0.1'),
  }
}

const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

const authority = `
[ca]
default_ca = this
[this]
database = ./index.txt
new_certs_dir = .
policy = names
default_md = sha256
copy_extensions = copy
rand_serial = yes
[names]
commonName = supplied
`

function selfSigned(folder: string, name: string, subject: string): Certificate {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
  openssl(folder, `req -x509 ${newKey} -days 2 -keyout ${key} -out ${cert}`, '-subj', subject)
  return { cert, key }
}

function openssl(folder: string, words: string, ...more: readonly string[]): void {
  execFileSync(program('openssl'), [...words.split(' '), ...more], { cwd: folder, stdio: 'pipe' })
}
