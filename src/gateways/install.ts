/** `installvia=ID`: the server of a socket gateway is started by another gateway, for this one alone, and ends with it. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BootstrapError, XSpecError } from '../errors.js'
import { ConnectFault } from '../transports/connecting.js'
import { readAddress } from '../transports/socket/address.js'
import { socketServerFile } from '../transports/socket/server-file.js'
import type { Gateway } from './gateway.js'
import type { KindContext, Opened } from './kind.js'
import { openAtServer } from './server.js'
import { XSpec } from './xspec.js'

const source = {
  text: readFileSync(new URL('./install_remote.py', import.meta.url), 'utf8'),
  name: '<tendril>/install_remote.py',
  function: 'serve',
}

/**
 * Opens a gateway to a server that is started for it.
 *
 * @param installer - Starts it. On its machine the server listens on the host of `socket=`, or on loopback, and is reached by the same.
 */
export function openInstalled(spec: XSpec, installer: Gateway, context: KindContext): Opened {
  if (spec.insecure) throw new XSpecError(`a server of our own asks for a token: leave "insecure" out of "${spec}"`)
  const { hostname, port } = readAddress(spec.socket || '127.0.0.1:0', 0)
  const address = `a server that ${installer.id} starts`
  const token = randomBytes(24).toString('hex')
  const find = async () => {
    context.connecting.enter('resolve', address)
    const args = ['--host', hostname, '--port', String(port), '--max-connections', '1', ...(spec.tls ? ['--tls'] : [])]
    const channel = installer.remoteExec(source, { source: readFileSync(socketServerFile, 'utf8'), args, token })
    const release = (): void => void channel.close()
    const line = await channel.receive()
    if (typeof line !== 'string') throw startFault(installer, line)
    const found = XSpec.parse(line)
    const place = { ...readAddress(found.socket ?? ''), isTls: found.tls, fingerprint: found.fingerprint }
    return { ...place, address: `${place.address}, beside ${installer.id}`, token, release }
  }
  return openAtServer(spec, { address, find }, context)
}

function startFault(installer: Gateway, answer: unknown): ConnectFault {
  const [said, exitCode] = Array.isArray(answer) ? answer : []
  const text = `${installer.id} could not start a server: ${String(said).split('\n').at(-1)} (exit code ${exitCode})`
  return new ConnectFault('resolve', text, (full) => new BootstrapError(full, { phase: 'resolve' }))
}
