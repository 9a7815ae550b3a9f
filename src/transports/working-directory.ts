/** The working directory of this process, which may have been removed: Node throws then, wherever a path is made absolute. */
import { isAbsolute, resolve } from 'node:path'

/** Its path; '' when it is gone. */
export function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    return ''
  }
}

/** An absolute path; as it was given where the working directory is gone: whoever uses it is told that it is not there. */
export function resolveHere(path: string): string {
  return isAbsolute(path) || workingDirectory() === '' ? path : resolve(path)
}
