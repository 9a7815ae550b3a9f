/** Gateways to a server on a socket: `socket=10.0.0.4:8888//tls//token_file=…`, which `tendril serve` runs. */
import { XSpecError } from '../errors.js'
import { openDeferred, type Reached } from '../transports/deferred.js'
import { splitWords } from '../transports/shell-words.js'
import { askExecnet } from '../transports/socket/execnet.js'
import { socketFault } from '../transports/socket/faults.js'
import { type StartRequest, shakeHands } from '../transports/socket/handshake.js'
import { startTls } from '../transports/socket/tls.js'
import { readToken } from '../transports/socket/token.js'
import { openStream } from '../transports/stream.js'
import type { Connected } from '../transports/tcp.js'
import type { GatewayKind, KindContext } from './kind.js'
import type { XSpec } from './xspec.js'

export const socket: GatewayKind = {
  key: 'socket',
  summary: 'a socket server',
  open: (spec, { connecting, loaderLine, origin }) => {
    const place = parsePlace(spec)
    const token = spec.insecure ? undefined : readToken(spec.tokenFile)
    const python = spec.python === undefined ? null : splitWords(spec.python)
    const request = { python, loader: loaderLine, env: spec.env }
    const transport = openDeferred({
      address: place.address,
      open: (signal) => reach(spec, place, token, request, { connecting, origin }, signal),
    })
    return { transport, tried: python ?? [`the interpreter of ${place.address}`] }
  },
}

/** Where a server listens. */
interface Place {
  readonly hostname: string
  readonly port: number
  readonly address: string
}

function parsePlace(spec: XSpec): Place {
  const address = spec.socket ?? ''
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address) ?? []
  const hostname = bracketed ?? plain
  const port = Number(digits)
  if (hostname === undefined || port < 1 || port > 65_535)
    throw new XSpecError(`"socket=${address}" is no HOST:PORT; write socket=10.0.0.4:8888, or socket=[::1]:8888`)
  return { hostname, port, address }
}

async function reach(
  spec: XSpec,
  { hostname, port, address }: Place,
  token: string | undefined,
  request: StartRequest,
  { connecting, origin }: Pick<KindContext, 'connecting' | 'origin'>,
  given: AbortSignal,
): Promise<Reached> {
  const signal = AbortSignal.any([given, connecting.signal])
  let tcp: Connected | undefined
  try {
    connecting.enter('resolve', hostname)
    tcp = await origin.connect({ hostname, port, onFound: () => connecting.enter('connect', address) }, signal)
    if (spec.tls) connecting.enter('host key', address)
    const { ca, fingerprint } = spec
    const stream = spec.tls ? await startTls(tcp.stream, { hostname, ca, fingerprint }, signal) : tcp.stream
    connecting.enter('authenticate', address)
    const answer = await (token === undefined
      ? askExecnet(stream, request, signal)
      : shakeHands(stream, token, request, signal))
    connecting.enter('python', spec.python)
    const preamble = (): Promise<void> =>
      answer().catch((error: unknown) => {
        throw socketFault(address, error, spec.tls)
      })
    const { keepAlive } = tcp
    return {
      transport: openStream(stream, {
        address,
        preamble,
        keepAlive,
      }),
    }
  } catch (error) {
    tcp?.stream.destroy()
    throw signal.aborted ? error : socketFault(address, error, spec.tls)
  }
}
