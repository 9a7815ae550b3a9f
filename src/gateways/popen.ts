/** Gateways to a Python started on this machine: `popen` or `popen//python=/usr/bin/python3.12`. */
import { openProcess } from '../transports/process.js'
import { pythonCommand, rememberShim } from './interpreter.js'
import type { GatewayKind } from './kind.js'

export const popen: GatewayKind = {
  key: 'popen',
  summary: 'a child process of this one',
  open: (spec, context) => {
    context.connecting.enter('python', spec.python)
    const { argv, shimKey } = pythonCommand(spec)
    return {
      transport: openProcess([...argv, '-c', context.loaderLine], { env: spec.env }),
      tried: argv,
      onHello: ({ executable }) => rememberShim(shimKey, executable),
    }
  },
}
