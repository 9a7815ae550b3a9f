/** Pythons that a server starts for whoever knows its token: the way that `socket=` and `ws=` have in common. */
import type { Duplex } from 'node:stream'
import { XSpecError } from '../../errors.js'
import type { XSpec } from '../../specs/xspec.js'
import { openDeferred, type Reached } from '../../transports/deferred.js'
import { splitWords } from '../../transports/shell-words.js'
import { askExecnet } from '../../transports/socket/execnet.js'
import { socketFault } from '../../transports/socket/faults.js'
import { type StartRequest, shakeHands } from '../../transports/socket/handshake.js'
import { readCa, startTls } from '../../transports/socket/tls.js'
import { readToken } from '../../transports/socket/token.js'
import { openStream } from '../../transports/stream.js'
import type { Connected } from '../../transports/tcp.js'
import { unlessAborted } from '../../transports/unless-aborted.js'
import type { KindContext, Opened } from '../kind.js'

/** Where a server listens, and how it is spoken to. */
export interface Place {
  readonly hostname: string
  readonly port: number
  /** The same for people. */
  readonly address: string
  readonly isTls: boolean
  /** The only certificate that is trusted. */
  readonly fingerprint: string | undefined
  /** What is to be agreed upon before the handshake. */
  readonly upgrade: ((stream: Duplex, signal: AbortSignal) => Promise<Duplex>) | undefined
}

/** A server that must be started first. */
export interface PlaceToBe {
  /** For people. */
  readonly address: string
  /** Starts it. What is thrown is how the gateway fails. */
  find(): Promise<StartedPlace>
}

/** A server that was started for one gateway. */
export interface StartedPlace extends Place {
  readonly token: string
  /** Lets it end. */
  readonly release: () => void
}

/** What was read of the files that a spec names. */
interface Credentials {
  /** Undefined where the server knows none. */
  readonly token: string | undefined
  readonly ca: Buffer | undefined
}

/** Sets out for a server. */
export function openAtServer(spec: XSpec, place: Place | PlaceToBe, context: KindContext): Opened {
  const token = spec.insecure || 'find' in place ? undefined : readToken(spec.tokenFile)
  if (!isEncrypted(place, spec) && (spec.ca ?? spec.fingerprint) !== undefined)
    throw new XSpecError(`ca= and fingerprint= are for TLS, which "${spec.shown}" does not ask for; add the key tls`)
  const python = spec.python === undefined ? null : splitWords(spec.python)
  const ca = spec.ca === undefined ? undefined : readCa(spec.ca)
  const request = { python, loader: context.loaderLine, env: spec.env }
  const transport = openDeferred({
    address: place.address,
    open: async (signal) => {
      if (!('find' in place)) return reach(spec, place, { token, ca }, request, context, signal)
      const finding = place.find()
      try {
        const started = await unlessAborted(finding, AbortSignal.any([signal, context.connecting.signal]))
        const reached = await reach(spec, started, { token: started.token, ca }, request, context, signal)
        return { ...reached, onEnd: started.release }
      } catch (error) {
        finding.then(({ release }) => release()).catch(() => undefined) // it may yet be started
        throw error
      }
    },
  })
  return { transport, tried: python ?? [`the interpreter of ${place.address}`] }
}

function isEncrypted(place: Place | PlaceToBe, spec: XSpec): boolean {
  return 'isTls' in place ? place.isTls : spec.tls
}

async function reach(
  spec: XSpec,
  { hostname, port, address, isTls, fingerprint, upgrade }: Place,
  { token, ca }: Credentials,
  request: StartRequest,
  { connecting, origin }: KindContext,
  given: AbortSignal,
): Promise<Reached> {
  const signal = AbortSignal.any([given, connecting.signal])
  let tcp: Connected | undefined
  try {
    connecting.enter('resolve', hostname)
    tcp = await origin.connect({ hostname, port, onFound: () => connecting.enter('connect', address) }, signal)
    if (isTls) connecting.enter('host key', address)
    const trust = { hostname, ca, fingerprint }
    const bare = isTls ? await startTls(tcp.stream, trust, signal) : tcp.stream
    if (upgrade !== undefined) connecting.enter('connect', `the WebSocket of ${address}`)
    const stream = upgrade === undefined ? bare : await upgrade(bare, signal)
    connecting.enter('authenticate', address)
    const answer = await (token === undefined
      ? askExecnet(stream, request, signal)
      : shakeHands(stream, token, request, signal))
    connecting.enter('python', spec.python)
    const preamble = (): Promise<void> =>
      answer().catch((error: unknown) => {
        throw socketFault(address, error, isTls)
      })
    const { keepAlive } = tcp
    return { transport: openStream(stream, { address, preamble, keepAlive }) }
  } catch (error) {
    tcp?.stream.destroy()
    throw signal.aborted ? error : socketFault(address, error, isTls)
  }
}
