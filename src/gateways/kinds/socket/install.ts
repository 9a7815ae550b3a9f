/** `installvia=ID`: the server of a socket gateway is started by another gateway, for this one alone, and ends with it. */
import { randomBytes } from 'node:crypto'
import { BootstrapError, XSpecError } from '../../../errors.js'
import * as messages from '../../../protocol/messages.js'
import { XSpec } from '../../../specs/xspec.js'
import { ConnectFault } from '../../../transports/connecting.js'
import { socketServerFile } from '../../../transports/socket/server-file.js'
import { readWorkerFile } from '../../../transports/worker-file.js'
import { equipCarrier } from '../../carriers/carry.js'
import type { BaseGateway } from '../../gateway.js'
import type { KindContext, Opened } from '../../kind.js'
import { openAtServer } from '../server.js'
import { readAddress } from './address.js'

/**
 * Opens a gateway to a server that is started for it.
 *
 * @param installer - Starts it. On its machine the server listens on the host of `socket=`, or on loopback, and is reached by the same.
 */
export function openInstalled(spec: XSpec, installer: BaseGateway, context: KindContext): Opened {
  if (spec.insecure)
    throw new XSpecError(`a server of our own asks for a token: leave "insecure" out of "${spec.shown}"`)
  const { hostname, port } = readAddress(spec.socket || '127.0.0.1:0', 0)
  const address = `a server that ${installer.id} starts`
  const token = randomBytes(24).toString('hex')
  const find = async () => {
    context.connecting.enter('resolve', address)
    const args = ['--host', hostname, '--port', String(port), '--max-connections', '1', ...(spec.tls ? ['--tls'] : [])]
    equipCarrier(installer)
    const channel = installer.execAside(starter(), { source: readWorkerFile(socketServerFile), args, token })
    const release = (): void => void channel.close()
    const answer = messages.read(messages.server, await channel.receive())
    if (typeof answer !== 'string') throw startFault(installer, answer)
    const found = XSpec.parse(answer)
    // Only what the installer alone can know: it must not have us connect elsewhere, nor leave out what the spec asks for.
    const place = {
      hostname,
      port: readAddress(found.socket ?? '').port,
      isTls: spec.tls,
      fingerprint: spec.fingerprint ?? found.fingerprint,
      upgrade: undefined,
    }
    return { ...place, address: `${hostname}:${place.port}, beside ${installer.id}`, token, release }
  }
  return openAtServer(spec, { address, find }, context)
}

function starter(): { readonly text: string; readonly name: string; readonly function: string } {
  const text = readWorkerFile(new URL('./install_remote.py', import.meta.url))
  return { text, name: '<tendril>/install_remote.py', function: 'serve' }
}

function startFault(installer: BaseGateway, [words, exitCode]: readonly [string, number]): ConnectFault {
  const text = `${installer.id} could not start a server: ${words.split('\n').at(-1)} (exit code ${exitCode})`
  return new ConnectFault('resolve', text, (full) => new BootstrapError(full, { phase: 'resolve' }))
}
