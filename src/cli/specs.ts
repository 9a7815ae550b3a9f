/** Which gateways a command is for: those on its command line, else those of the variable TENDRIL_TX, else one `popen`. */
import { readSpecs, type XSpec, XSpecError } from '../index.js'

/**
 * The specs of a command.
 *
 * @param texts - From the command line: specs, `N*spec` and `@hosts.txt`. When there are some, the variable is not looked at.
 */
export function specsOf(texts: readonly string[], environment: NodeJS.ProcessEnv = process.env): XSpec[] {
  if (texts.length > 0) return checked(readSpecs(texts), texts.join(' '))
  const words = (environment['TENDRIL_TX'] ?? '')
    .split(/[\n;]/)
    .map((text) => text.trim())
    .filter((text) => text !== '')
  return words.length === 0 ? readSpecs(['popen']) : withOrigin('TENDRIL_TX', () => checked(readSpecs(words), 'it'))
}

function checked(specs: XSpec[], origin: string): XSpec[] {
  if (specs.length === 0) throw new XSpecError(`there is no spec in ${origin}`)
  return specs
}

/** A mistake in a variable is hard to find without its name. */
function withOrigin(name: string, read: () => XSpec[]): XSpec[] {
  try {
    return read()
  } catch (error) {
    if (error instanceof XSpecError) throw new XSpecError(`${name}: ${error.message}`, { cause: error })
    throw error
  }
}
