/** SSH keys made on the spot by ssh-keygen, and what it says of them. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The kinds of key that every server knows. */
export type KeyType = 'ed25519' | 'rsa' | 'ecdsa'

/** A pair of keys in files. */
export interface KeyPair {
  /** The private key; the public one has `.pub` behind it. */
  readonly file: string
  /** The line for known_hosts and authorized_keys, without a comment: `ssh-ed25519 AAAA…`. */
  readonly publicKey: string
  /** As ssh shows it: `SHA256:…`. */
  readonly fingerprint: string
}

/** Makes a pair at a path where there is none. */
export function makeKey(file: string, type: KeyType = 'ed25519', passphrase = ''): KeyPair {
  const size = type === 'rsa' ? ['-b', '2048'] : []
  execFileSync('ssh-keygen', ['-q', '-t', type, ...size, '-N', passphrase, '-C', '', '-f', file])
  const [, fingerprint = ''] = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' }).split(' ')
  return { file, publicKey: readFileSync(`${file}.pub`, 'utf8').trim(), fingerprint }
}
