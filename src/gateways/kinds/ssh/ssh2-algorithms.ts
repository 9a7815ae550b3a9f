/** Which algorithms ssh2 is to offer: the user's where they were configured, in the user's order, and never one that it lacks. */
import type { Algorithms } from 'ssh2'
import { ciphers, hostKeyAlgorithms, kexAlgorithms, knownTo, macs } from './algorithms.js'
import type { ResolvedHost } from './host.js'
import { knownKeyTypes } from './known-hosts.js'

/**
 * What to offer to a host. Key types by which the host is known come first: one that is not would look like another host.
 */
export async function algorithmsFor(host: ResolvedHost): Promise<Algorithms> {
  const known = (await knownKeyTypes(host)).flatMap((type) =>
    type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', type] : [type],
  )
  const allowed = offered(hostKeyAlgorithms, host.hostKeyAlgorithms)
  const serverHostKey = [
    ...allowed.filter((name) => known.includes(name)),
    ...allowed.filter((name) => !known.includes(name)),
  ]
  const algorithms = {
    serverHostKey,
    kex: offered(kexAlgorithms, host.kexAlgorithms),
    cipher: offered(ciphers, inOurOrder(host.ciphers)),
    hmac: offered(macs, host.macs),
    compress: host.compression ? ['zlib@openssh.com', 'zlib', 'none'] : ['none'],
  }
  return algorithms as Algorithms // its types list the names that `algorithms.ts` has
}

/** Those of the user's that ssh2 has; its usual ones where the user's are not known, or are none of them. */
function offered(supported: typeof ciphers, wanted: readonly string[]): string[] {
  const both = knownTo(supported, wanted)
  return both.length > 0 ? both : [...supported.usual]
}

/** OpenSSH's own list, perhaps with something behind it, is nobody's wish: of that the usual ones come in our order. */
function inOurOrder(wanted: readonly string[]): readonly string[] {
  const { usual } = ciphers
  const isOpenSshs = wanted[0] === 'chacha20-poly1305@openssh.com' && usual.every((name) => wanted.includes(name))
  return isOpenSshs ? [...usual, ...wanted.filter((name) => !usual.includes(name))] : wanted
}
