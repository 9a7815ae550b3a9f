/** Gateways that another one opens on its machine: `popen//via=ID` or `popen//via=ID//python=python3.12`. */
import { readFileSync } from 'node:fs'
import { XSpecError } from '../errors.js'
import { openChannelTransport } from '../transports/channel.js'
import { splitWords } from '../transports/shell-words.js'
import type { GatewayKind } from './kind.js'

const carrierSource = readFileSync(new URL('./via_remote.py', import.meta.url), 'utf8')

export const via: GatewayKind = {
  key: 'via',
  summary: 'a child process of another gateway’s worker',
  open: (spec, context) => {
    if (!spec.popen)
      throw new XSpecError(`only popen can be opened via another gateway, in "${spec}"; write "popen//via=${spec.via}"`)
    const carrier = context.gatewayWithId(spec.via ?? '')
    const argv = spec.python === undefined ? [] : splitWords(spec.python)
    context.connecting.enter('python', `via ${carrier.id}`)
    const channel = carrier.remoteExec(
      { text: carrierSource, name: '<tendril>/via_remote.py', function: 'carry' },
      {
        argv,
        loader: context.loaderLine,
        env: { ...spec.env },
      },
    )
    return {
      transport: openChannelTransport(channel, carrier.id),
      tried: argv.length > 0 ? argv : [`the interpreter of ${carrier.id}`],
    }
  },
}
