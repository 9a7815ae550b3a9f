/**
 * What ssh2 1.17 can do (its lib/protocol/constants.js; the package itself is loaded only to connect), by the keyword of
 * ssh_config(5) that chooses among it: what it is to offer to everybody, in order, and what only to hosts for which that is asked for.
 */
import { matchesPattern } from './known-hosts-file.js'

/** One kind of algorithm. */
interface Algorithms {
  readonly usual: readonly string[]
  readonly onRequest: readonly string[]
}

export const kexAlgorithms: Algorithms = {
  usual: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group-exchange-sha256',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group15-sha512',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group17-sha512',
    'diffie-hellman-group18-sha512',
  ],
  onRequest: ['diffie-hellman-group-exchange-sha1', 'diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'],
}

// aes-gcm first: it is twice as fast in Node as the cipher that OpenSSH prefers.
export const ciphers: Algorithms = {
  usual: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
  ],
  onRequest: ['aes128-cbc', 'aes192-cbc', 'aes256-cbc', '3des-cbc'],
}

export const macs: Algorithms = {
  usual: [
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
    'hmac-sha1-etm@openssh.com',
    'hmac-sha2-256',
    'hmac-sha2-512',
    'hmac-sha1',
  ],
  onRequest: ['hmac-sha1-96', 'hmac-md5', 'hmac-md5-96'],
}

export const hostKeyAlgorithms: Algorithms = {
  usual: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  onRequest: ['ssh-rsa', 'ssh-dss'],
}

/** Those of the names that ssh2 knows. */
export function knownTo({ usual, onRequest }: Algorithms, names: readonly string[]): string[] {
  return names.filter((name) => usual.includes(name) || onRequest.includes(name))
}

/** A list as it is written: whole, or behind `+`, `-` or `^` what is added to the usual one, taken away, or put first. */
export function algorithmsFrom(list: string, { usual }: Algorithms): string[] {
  const names = list.replace(/^[+^-]/, '').split(',')
  if (list.startsWith('+')) return [...usual, ...names.filter((name) => !usual.includes(name))]
  if (list.startsWith('^')) return [...names, ...usual.filter((name) => !names.includes(name))]
  if (list.startsWith('-')) return usual.filter((name) => !names.some((pattern) => matchesPattern(name, pattern)))
  return names
}
