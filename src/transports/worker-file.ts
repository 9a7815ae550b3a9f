/** Python files of ours, which lie beside the TypeScript that sends them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BootstrapError } from '../errors.js'
import { asError } from '../thrown.js'
import { faultText } from './system-faults.js'

/**
 * The text of a file of ours, as it lies there.
 *
 * @throws {@link BootstrapError} when it cannot be read: it was not installed or bundled with us, or this program may not read it.
 */
export function readWorkerFile(file: URL | string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const cause = asError(error)
    const path = typeof file === 'string' ? file : fileURLToPath(file)
    const text = `cannot read ${path}, which is a part of tendril: ${faultText(cause)}. Install it beside the rest, and let this program read it`
    throw new BootstrapError(text, { phase: 'python', cause })
  }
}
