/** Gateways through any command whose stdin and stdout reach a Python: `command=nsenter -t 1 -a {python}`. */
import { XSpecError } from '../../errors.js'
import type { XSpec } from '../../specs/xspec.js'
import { openExplained } from '../../transports/explained.js'
import { splitWords } from '../../transports/shell-words.js'
import { tellOfZombiesIfHere } from '../first-process.js'
import type { GatewayKind } from '../kind.js'
import { missingProgram } from '../program-fault.js'
import { remotePython, remoteWords } from '../remote-python.js'
import { laterVariables } from '../variables.js'

export const command: GatewayKind = {
  key: 'command',
  keys: [],
  summary: 'what a command of yours leads to',
  open: (spec, { loaderLine, origin, connecting }) => {
    const { argv, tried } = commandWords(spec, loaderLine)
    const [program = ''] = argv
    connecting.enter('python', spec.command)
    const advice = 'Check the command= key, and PATH'
    const transport = openExplained(origin.start({ argv, env: {}, isWorker: true }), {
      explain: (end) => missingProgram(end, { program, phase: 'python', origin, advice }),
    })
    return {
      transport,
      tried,
      variables: laterVariables(spec.env),
      onHello: ({ pid }) => tellOfZombiesIfHere(origin, pid),
    }
  },
}

const placeholder = '{python}'

/** The words of a command with those of the interpreter in their place, or behind them when they have none. */
function commandWords(spec: XSpec, loaderLine: string): { argv: string[]; tried: string[] } {
  const words = splitWords(spec.command ?? '', { windows: process.platform === 'win32' })
  const places = words.join(' ').match(/\{\w+\}/g) ?? []
  const unknown = places.find((place) => place !== placeholder)
  if (unknown !== undefined)
    throw new XSpecError(`"command=${spec.command}" has ${unknown}; all that is replaced is ${placeholder}`)
  if (places.length > 1)
    throw new XSpecError(`"command=${spec.command}" has ${placeholder} twice; it starts one Python`)
  if (places.length === 0) words.push(placeholder)
  const inWords = remoteWords(spec, loaderLine)
  // Inside of a word it is for a shell to read.
  const inLine = remotePython(spec, loaderLine)
  const put = (python: readonly string[], line: string): string[] =>
    words.flatMap((word) => (word === placeholder ? python : [word.replace(placeholder, () => line)]))
  return { argv: put(inWords.argv, inLine.command), tried: put(inWords.tried, inLine.tried.join(' ')) }
}
