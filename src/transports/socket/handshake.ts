/**
 * Proves to a server that we know its token, and has it prove the same to us, before anything else is sent: PROTOCOL.md, "Servers".
 * `serve.py` is the other half.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { onOneLine } from '../../one-line.js'

export const GREETING = 'TENDRIL 1 '
const NONCE_BYTES = 32
const MAX_LINE_BYTES = 256

/** What the server is to start. */
export interface StartRequest {
  /** The words of `python=`; null for the server's own interpreter. */
  readonly python: readonly string[] | null
  readonly loader: string
  readonly env: Readonly<Record<string, string>>
}

/** The other side did not answer as a server that knows the token does. */
export class HandshakeFault extends Error {
  /** `proof`: it does not know our token. `refused`: it does not want us. `protocol`: it is something else. `ended`: it hung up. */
  readonly kind: 'proof' | 'refused' | 'protocol' | 'ended'

  constructor(kind: HandshakeFault['kind'], message: string) {
    super(onOneLine(message)) // it quotes somebody who has proved nothing
    this.kind = kind
  }
}

/**
 * Does our part up to the request, behind which the worker's input may follow at once.
 *
 * @returns Reads the server's answer to the request; what comes behind it is the worker's.
 * @throws {@link HandshakeFault}; whatever `signal` was aborted with.
 */
export async function shakeHands(
  stream: Duplex,
  token: string,
  request: StartRequest,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const ours = randomBytes(NONCE_BYTES).toString('hex')
  stream.write(`${GREETING}${ours}\n`)
  const answer = await readLine(stream, signal)
  const [, theirs, shown] = /^TENDRIL 1 ([0-9a-f]{64}) ([0-9a-f]{64})$/.exec(answer) ?? []
  if (theirs === undefined || shown === undefined) throw faultOf(answer)
  const nonces = [ours, theirs]
  if (!areEqual(shown, proof(token, 'server', nonces)))
    throw new HandshakeFault('proof', 'it does not know the token that we have')
  stream.write(answerOf(token, nonces, request))
  return async () => {
    const line = await readLine(stream, signal)
    if (line !== `${GREETING}ok`) throw faultOf(line)
  }
}

/** What a client says second: its proof, and what it wants to be started. */
export function answerOf(token: string, nonces: readonly string[], request: StartRequest): string {
  const text = JSON.stringify(request)
  return `${proof(token, 'client', nonces, text)} ${Buffer.byteLength(text)}\n${text}`
}

/** Who proves: the sides of a server's connection, or those of one that a worker has made. */
export type Role = 'server' | 'client' | 'listener' | 'worker'

/** What only somebody who knows the token can say, in this connection, in this role. */
export function proof(token: string, role: Role, nonces: readonly string[], request = ''): string {
  return createHmac('sha256', token)
    .update(['tendril', role, ...nonces, request].join('|'))
    .digest('hex')
}

/** In a time that does not depend on where they differ. */
export function areEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

function faultOf(line: string): HandshakeFault {
  if (line === `${GREETING}refused`) return new HandshakeFault('refused', 'it refused us')
  return new HandshakeFault('protocol', `it said ${JSON.stringify(line.slice(0, 80))}`)
}

/**
 * A line, and nothing of what comes behind it.
 *
 * @throws {@link HandshakeFault} when it is too long, or does not come; the reason of `signal`.
 */
export function readLine(stream: Duplex, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      stream.off('readable', read).off('end', onEnd).off('close', onEnd).off('error', onError)
      signal.removeEventListener('abort', onAbort)
      done()
    }
    let line = Buffer.alloc(0)
    const onEnd = (): void =>
      settle(() =>
        reject(
          new HandshakeFault(
            'ended',
            line.length === 0
              ? 'it hung up'
              : `it hung up after ${JSON.stringify(line.toString('latin1').slice(0, 80))}`,
          ),
        ),
      )
    const onError = (error: NodeJS.ErrnoException): void => {
      const isBroken = error.code === 'ECONNRESET' || error.code === 'EPIPE'
      settle(() => reject(isBroken ? new HandshakeFault('ended', 'it broke the connection') : error))
    }
    const onAbort = (): void => settle(() => reject(signal.reason))
    const read = (): void => {
      for (let chunk: Buffer | null = stream.read(); chunk !== null; chunk = stream.read()) {
        const at = chunk.indexOf(0x0a)
        line = Buffer.concat([line, at < 0 ? chunk : chunk.subarray(0, at)])
        if (at >= 0) {
          if (at + 1 < chunk.length) stream.unshift(chunk.subarray(at + 1))
          return settle(() => resolve(line.toString('latin1')))
        }
        if (line.length > MAX_LINE_BYTES)
          return settle(() =>
            reject(new HandshakeFault('protocol', `it said ${JSON.stringify(line.toString('latin1', 0, 80))}`)),
          )
      }
    }
    stream.on('readable', read).once('end', onEnd).once('close', onEnd).once('error', onError)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else read()
  })
}
