/** Gateways to a Python started on this machine, or on that of a carrier: `popen`, `popen//python=/usr/bin/python3.12`, `popen//via=ID`. */
import type { XSpec } from '../../specs/xspec.js'
import { splitWords } from '../../transports/shell-words.js'
import { tellOfZombies } from '../first-process.js'
import { pythonCommand, rememberShim } from '../interpreter.js'
import type { GatewayKind, KindContext, Opened } from '../kind.js'

export const popen: GatewayKind = {
  key: 'popen',
  keys: [],
  summary: 'a child process of this one, or of the gateway that via= names',
  open: (spec, context) => {
    const { origin, connecting, loaderLine } = context
    tellOfZombies(origin)
    if (origin.carrier !== undefined) return openBeside(spec, context)
    connecting.enter('python', spec.python)
    const { argv, shimKey } = pythonCommand(spec)
    return {
      transport: origin.start({ argv: [...argv, '-c', loaderLine], env: spec.env, isWorker: true }),
      tried: argv,
      onHello: ({ executable }) => rememberShim(shimKey, executable),
    }
  },
}

/** Beside a carrier the interpreter is the carrier's own unless the spec names one. */
function openBeside({ python, env }: XSpec, { origin, connecting, loaderLine }: KindContext): Opened {
  const words = python === undefined ? [] : splitWords(python)
  const tried = words.length > 0 ? words : [`the interpreter of ${origin.carrier}`]
  connecting.enter('python', tried.join(' '))
  const argv = [...(words.length > 0 ? words : [null]), '-c', loaderLine]
  return { transport: origin.start({ argv, env, isWorker: true }), tried }
}
