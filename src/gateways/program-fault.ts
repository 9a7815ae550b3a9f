/** Programs that lead to a worker, and that are not there. */
import { BootstrapError, type Phase } from '../errors.js'
import { ConnectFault } from '../transports/connecting.js'
import type { Origin } from '../transports/origin.js'
import type { TransportEnd } from '../transports/transport.js'

/** That a program could not be started; undefined when it was. @param advice - What to do, without a full stop. */
export function missingProgram(
  { error }: TransportEnd,
  { program, phase, origin, advice }: { program: string; phase: Phase; origin: Origin; advice: string },
): ConnectFault | undefined {
  const code = error !== undefined && 'code' in error ? error.code : undefined
  if (code !== 'ENOENT' && code !== 'EACCES') return undefined
  const where = origin.carrier === undefined ? 'on this machine' : `beside ${origin.carrier}`
  const what =
    code === 'ENOENT'
      ? `there is no program ${JSON.stringify(program)}`
      : `${JSON.stringify(program)} may not be executed`
  return new ConnectFault(
    phase,
    `${what} ${where}. ${advice}`,
    (message) => new BootstrapError(message, { phase, tried: [program], cause: error }),
    { cause: error },
  )
}

const QUOTED_CHARACTERS = 300

/** What a program said, on one line, to be quoted; without its middle when it is long, as where sudo repeats its command line. */
export function quoted(said: string): string {
  const line = said
    .split('\n')
    .map((part) => part.trim())
    .filter(Boolean)
    .join(' ')
  const half = QUOTED_CHARACTERS / 2
  return JSON.stringify(line.length <= QUOTED_CHARACTERS ? line : `${line.slice(0, half)} … ${line.slice(-half)}`)
}
