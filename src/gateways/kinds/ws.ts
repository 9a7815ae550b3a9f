/** Gateways to a server over a WebSocket: `ws=wss://host/path//token_file=…`. The server is the one of `socket=`, mostly behind a reverse proxy. */
import { isIP } from 'node:net'
import { XSpecError } from '../../errors.js'
import type { XSpec } from '../../specs/xspec.js'
import { checkName } from '../../specs/xspec-keys.js'
import { openWebSocket } from '../../transports/websocket/connect.js'
import { linkLine } from '../../transports/websocket/link.js'
import { bootstrapSize } from '../bootstrap.js'
import type { GatewayKind } from '../kind.js'
import { openAtServer, type Place } from './server.js'

export const ws: GatewayKind = {
  key: 'ws',
  keys: ['token_file', 'tls', 'ca', 'fingerprint', 'insecure'],
  summary: 'a WebSocket server',
  open: (spec, context) =>
    openAtServer(spec, parsePlace(spec), {
      ...context,
      loaderLine: linkLine(bootstrapSize(), ['server']) + context.loaderLine,
    }),
}

function parsePlace(spec: XSpec): Place {
  const text = spec.ws ?? ''
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'ws:' && url.protocol !== 'wss:'))
    throw new XSpecError(`"ws=${text}" is no URL of a WebSocket; write ws=wss://host/path, or ws=ws://127.0.0.1:8888`)
  if (url.username !== '' || url.password !== '' || /token|secret|passw|auth/i.test(url.search + url.hash))
    throw new XSpecError(
      `a secret in a URL ends up in logs: leave it out of "ws=${url.protocol}//${url.host}…", and name the token's file with token_file=`,
    )
  const isTls = url.protocol === 'wss:'
  if (!isTls && (spec.tls || spec.ca !== undefined || spec.fingerprint !== undefined))
    throw new XSpecError(`"ws=${text}" is not encrypted, but its other keys are about TLS; write wss:// in it`)
  if (spec.insecure)
    throw new XSpecError('"insecure" is for servers of execnet, which have no WebSockets; leave it out')
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  checkName('ws', hostname, 'host', spec.shown)
  const options = { path: url.pathname + url.search, host: url.host, isExposed: !isTls && !isLoopback(hostname) }
  return {
    hostname,
    port: Number(url.port) || (isTls ? 443 : 80),
    address: `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`,
    isTls,
    fingerprint: spec.fingerprint,
    upgrade: (stream, signal) => openWebSocket(stream, options, signal),
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || (isIP(hostname) === 4 ? hostname.startsWith('127.') : hostname === '::1')
}
