/**
 * Which command starts Python here. A shim (pyenv, asdf, mise) costs more than the interpreter itself, so it is paid
 * once: the first hello tells what it led to, and the same spec starts that from then on.
 */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join, sep } from 'node:path'
import { BootstrapError } from '../errors.js'
import type { XSpec } from '../specs/xspec.js'
import { splitWords } from '../transports/shell-words.js'
import { workingDirectory } from '../transports/working-directory.js'

// Python 3 first: `python` may be a 2.7.
const DEFAULT_NAMES = process.platform === 'win32' ? ['python', 'python3', 'py'] : ['python3', 'python']

const led = new Map<string, string>()

/** The words that start Python, and the key under which what they lead to is remembered. */
export interface PythonCommand {
  readonly argv: readonly string[]
  /** Undefined when the command is no shim. */
  readonly shimKey: string | undefined
}

/**
 * The command for a spec.
 *
 * @throws {@link BootstrapError} when there is no `python=` and no Python is on PATH.
 */
export function pythonCommand(spec: XSpec): PythonCommand {
  const words =
    spec.python === undefined
      ? [defaultPython(spec)]
      : splitWords(spec.python, { windows: process.platform === 'win32' })
  const [command = '', ...args] = words
  const path = findOnPath(command, pathOf(spec))
  if (path === undefined || dirname(path).split(sep).at(-1) !== 'shims') return { argv: words, shimKey: undefined }
  const shimKey = JSON.stringify([
    path,
    args,
    workingDirectory(),
    spec.chdir,
    spec.env,
    process.env['PYENV_VERSION'],
    pathOf(spec),
  ])
  const direct = led.get(shimKey)
  return { argv: [direct ?? command, ...args], shimKey: direct === undefined ? shimKey : undefined }
}

/** Remembers the interpreter that a shim led to. */
export function rememberShim(shimKey: string | undefined, executable: string): void {
  if (shimKey !== undefined && isAbsolute(executable)) led.set(shimKey, executable)
}

function defaultPython(spec: XSpec): string {
  const found = DEFAULT_NAMES.find((name) => findOnPath(name, pathOf(spec)) !== undefined)
  if (found !== undefined) return found
  throw new BootstrapError(
    `no Python was found: looked for ${DEFAULT_NAMES.join(' and ')} on PATH. Install Python, or name one: popen//python=/path/to/python3`,
    {
      tried: DEFAULT_NAMES,
    },
  )
}

function pathOf(spec: XSpec): string {
  return (Object.hasOwn(spec.env, 'PATH') ? spec.env['PATH'] : process.env['PATH']) ?? ''
}

function findOnPath(command: string, path: string): string | undefined {
  if (command.includes('/') || command.includes(sep)) return isRunnable(command) ? command : undefined
  const endings = process.platform === 'win32' ? ['.exe', '.bat', '.cmd', ''] : ['']
  for (const folder of path.split(delimiter)) {
    for (const ending of endings) {
      const candidate = join(folder === '' ? '.' : folder, command + ending)
      if (isRunnable(candidate)) return candidate
    }
  }
  return undefined
}

function isRunnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch (error) {
    // Under Node's permission model it may be run all the same.
    return error instanceof Error && 'code' in error && error.code === 'ERR_ACCESS_DENIED'
  }
}
