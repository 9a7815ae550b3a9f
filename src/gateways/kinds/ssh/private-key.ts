/** Keys as files have them: what ssh2 reads, and PKCS#8 (`BEGIN PRIVATE KEY`, as openssl writes it), which it does not. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { ParsedKey, utils } from 'ssh2'
import { asError } from '../../../thrown.js'

/**
 * Reads a key.
 *
 * @param parse - As ssh2 does.
 * @returns The error that says "encrypted" or "passphrase" where that is what is missing or wrong.
 */
export function readKey(parse: typeof utils.parseKey, data: Buffer, passphrase?: string): ParsedKey | Error {
  const [head, isEncrypted] = /-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.exec(data.toString('latin1')) ?? []
  if (head === undefined) return first(parse(data, passphrase))
  if (isEncrypted !== undefined && passphrase === undefined) return new Error('it is encrypted')
  try {
    return first(parse(readableBySsh2(createPrivateKey({ key: data, passphrase }))))
  } catch (error) {
    if (isEncrypted !== undefined) return new Error('it is no key, or the passphrase is wrong', { cause: error })
    return asError(error)
  }
}

function first(parsed: ParsedKey | ParsedKey[] | Error): ParsedKey | Error {
  return Array.isArray(parsed) ? (parsed[0] ?? new Error('there is no key in it')) : parsed
}

function readableBySsh2(key: KeyObject): string | Buffer {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return key.export({ type: 'pkcs1', format: 'pem' })
    case 'ec':
      return key.export({ type: 'sec1', format: 'pem' })
    case 'ed25519':
      return openSshKey(key)
    default:
      throw new Error(`SSH has no keys of the kind ${key.asymmetricKeyType}`)
  }
}

/** Ed25519 has no older form than OpenSSH's own: PROTOCOL.key there. */
function openSshKey(key: KeyObject): string {
  const { x = '', d = '' } = key.export({ format: 'jwk' })
  const publicKey = Buffer.from(x, 'base64url')
  const type = Buffer.from('ssh-ed25519')
  const checks = Buffer.alloc(8)
  const secret = Buffer.concat([Buffer.from(d, 'base64url'), publicKey])
  const fields = Buffer.concat([checks, text(type), text(publicKey), text(secret), text('')])
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (fields.length % 8)) % 8)
  const bytes = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(text),
    Buffer.from([0, 0, 0, 1]),
    text(Buffer.concat([text(type), text(publicKey)])),
    text(Buffer.concat([fields, padding])),
  ])
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`
}

/** A string as SSH writes one: its length, then its bytes. */
function text(content: Buffer | string): Buffer {
  const bytes = Buffer.from(content)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
