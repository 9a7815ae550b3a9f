/** Gateways that another one opens on its machine: `popen//via=ID` or `popen//via=ID//python=python3.12`. */
import { XSpecError } from '../errors.js'
import type { Connecting } from '../transports/connecting.js'
import { splitWords } from '../transports/shell-words.js'
import { carry } from './carry.js'
import type { Gateway } from './gateway.js'
import type { GatewayKind } from './kind.js'

export const via: GatewayKind = {
  key: 'via',
  summary: 'a child process of another gateway’s worker',
  open: (spec, { gatewayWithId, connecting, loaderLine }) => {
    if (!spec.popen)
      throw new XSpecError(`only popen can be opened via another gateway, in "${spec}"; write "popen//via=${spec.via}"`)
    const carrier = gatewayWithId(spec.via ?? '')
    const argv = spec.python === undefined ? [] : splitWords(spec.python)
    const words = argv.length > 0 ? argv : [null]
    const tried = argv.length > 0 ? argv : [`the interpreter of ${carrier.id}`]
    follow(carrier, connecting, tried.join(' '))
    return { transport: carry(carrier, { argv: [...words, '-c', loaderLine], env: spec.env }, carrier.id), tried }
  },
}

/** What the carrier still has to do on its own way is not charged to the connect timeout of the gateway behind it. */
function follow(carrier: Gateway, connecting: Connecting, interpreter: string): void {
  if (carrier.isReceiving) return connecting.enter('python', interpreter)
  connecting.enter('connect', `via ${carrier.id}`)
  const resume = connecting.pause()
  const goOn = (): void => {
    resume()
    connecting.enter('python', interpreter)
  }
  carrier.ready.then(goOn, resume)
}
