/** How long an RSA key is, which `RequiredRSASize` of ssh_config(5) is about. */
import { typeOfKey } from './known-hosts-file.js'

/**
 * The bits of a public key's modulus, none if it is cut short; undefined for keys of other kinds.
 *
 * @param blob - As it goes over the wire: the algorithm, the exponent, the modulus.
 */
export function rsaBitsOf(blob: Uint8Array): number | undefined {
  if (typeOfKey(blob) !== 'ssh-rsa') return undefined
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  try {
    let at = 0
    for (let field = 0; field < 2; field++) at += 4 + bytes.readUInt32BE(at)
    const modulus = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at))
    const start = modulus.findIndex((byte) => byte !== 0)
    return start < 0 ? 0 : 8 * (modulus.length - start) - Math.clz32(modulus[start] ?? 0) + 24
  } catch (error) {
    if (error instanceof RangeError) return 0 // cut short
    throw error
  }
}
