/** Errors of copies: whatever the system says, with the path that it is about. */
import { getSystemErrorMap } from 'node:util'
import { CopyError, type Gateway } from '../core.js'

/** What is being copied, for the beginning of error texts: `cannot put ./a on gw0`. */
export interface CopyTask {
  readonly gateway: Gateway
  readonly intent: string
}

const advice: Readonly<Record<string, string>> = {
  EACCES: 'Check its permissions, and those of its folder.',
  EISDIR: 'Name the file in it, or remove it first.',
  ENOENT: 'Check the path; folders above it are not made.',
  ENOSPC: 'Make room; what was copied so far has been removed.',
  ENOTDIR: 'Remove it first, or choose another place.',
  EXDEV: 'Its folder holds another file system: copy that by itself.',
}

/** What a copy cannot go on from, under the name that the system has for such things; at `path`, or where the copy is. */
export class Obstacle extends Error {
  readonly code: string
  readonly path: Buffer | undefined

  constructor(code: string, text: string, path?: Buffer) {
    super(text)
    this.code = code
    this.path = path
  }
}

/** What went wrong here: an error of the system's, made into one that says where. Others stay what they are. */
export function localFault(task: CopyTask, path: Buffer, error: unknown): unknown {
  if (error instanceof Obstacle) {
    return fault(task, { path: String(error.path ?? path), reason: error.code, text: error.message, cause: error })
  }
  if (!(error instanceof Error && 'syscall' in error && 'code' in error && 'errno' in error)) return error
  const text = getSystemErrorMap().get(Number(error.errno))?.[1] ?? error.message
  return fault(task, { path: path.toString(), reason: String(error.code), text, cause: error })
}

/** What went wrong on the other side. */
export function remoteFault(task: CopyTask, [, path, code, text]: readonly unknown[]): CopyError {
  const place = task.gateway.id
  return fault(task, { path: String(path), reason: String(code), text: String(text), place })
}

interface Fault {
  readonly path: string
  readonly reason: string
  readonly text: string
  readonly place?: string
  readonly cause?: unknown
}

function fault({ intent }: CopyTask, { path, reason, text, place, cause }: Fault): CopyError {
  const where = place === undefined ? path : `${path} (on ${place})`
  const hint = advice[reason] === undefined ? '' : ` ${advice[reason]}`
  const message = `${intent}: ${where}: ${text}${reason === '' ? '' : ` (${reason})`}.${hint}`
  return new CopyError(message, { path, reason, gatewayId: place, ...(cause === undefined ? {} : { cause }) })
}
