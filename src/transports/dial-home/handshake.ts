/** The listening half of dialing home (PROTOCOL.md, "Dialing home"); `dial.py` is the other one. */
import { createHash, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { areEqual, GREETING, HandshakeFault, proof, readLine } from '../socket/handshake.js'

const NONCE_BYTES = 32

/** Somebody who came, and has proved to know a token. */
export interface Visitor {
  /** The name of the machine, as it calls itself. */
  readonly hostname: string
  /** Lets it in: it runs the source, which may be told from what follows by its length. */
  admit(source: string): void
}

/** Who may come. */
export interface TokenBook {
  /** The token of an id; undefined when there is none. */
  get(id: string): string | undefined
  /** Somebody has proved to know it. False when it is good for nobody any more. */
  use(id: string): boolean
}

/** The name by which whoever comes tells which token it knows, without telling the token. */
export function tokenId(token: string): string {
  return createHash('sha256').update(`tendril|id|${token}`).digest('hex').slice(0, 16)
}

/**
 * Proves that we know the token that somebody names, and has it proved to us.
 *
 * @throws {@link HandshakeFault}; the reason of `signal`.
 */
export async function welcome(stream: Duplex, tokens: TokenBook, signal: AbortSignal): Promise<Visitor> {
  const greeting = await readLine(stream, signal)
  const [, theirs, id] = /^TENDRIL 1 ([0-9a-f]{64}) ([0-9a-f]{16})$/.exec(greeting) ?? []
  if (theirs === undefined || id === undefined)
    throw new HandshakeFault('protocol', `it said ${JSON.stringify(greeting.slice(0, 80))}`)
  const token = tokens.get(id)
  // Whoever names no token of ours is answered as if there were one: it learns nothing before it has proved something.
  const known = token ?? randomBytes(NONCE_BYTES).toString('hex')
  const nonces = [theirs, randomBytes(NONCE_BYTES).toString('hex')]
  stream.write(`${GREETING}${nonces[1]} ${proof(known, 'listener', nonces)}\n`)
  const [, shown, name] = /^([0-9a-f]{64}) ([0-9a-f]*)$/.exec(await readLine(stream, signal)) ?? []
  if (shown === undefined || name === undefined) throw new HandshakeFault('protocol', 'its proof is none')
  if (token === undefined || !areEqual(shown, proof(token, 'worker', nonces, name)))
    throw new HandshakeFault('proof', 'it does not know a token of ours')
  if (!tokens.use(id)) throw new HandshakeFault('proof', 'its token has been used')
  return {
    hostname: Buffer.from(name, 'hex')
      .toString()
      .replace(/[^\x20-\x7e]/g, '?'),
    admit: (source) => void stream.write(`${GREETING}ok ${Buffer.byteLength(source)}\n${source}`),
  }
}
