/** Errors of copies: whatever the system says, with the path that it is about. */
import { getSystemErrorMap } from 'node:util'
import { type BaseGateway, CopyError, messages } from '../../core.js'

/** What is being copied, for the beginning of error texts: `cannot put ./a on gw0`. */
export interface CopyTask {
  readonly gateway: BaseGateway
  readonly intent: string
}

const MOST_TOLD = 5 // in a text; the error has them all

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

/** The system's name for an error; undefined for errors that are not its. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** What went wrong here: an error of the system's, made into one that says where. Others stay what they are. */
export function localFault(task: CopyTask, { at, renewed = [] }: Side, error: unknown): unknown {
  const about = { renewed: renewed.map(String), cause: error }
  if (error instanceof Obstacle) {
    return fault(task, { path: String(error.path ?? at), reason: error.code, text: error.message, ...about })
  }
  if (!(error instanceof Error && 'syscall' in error && 'code' in error && 'errno' in error)) return error
  const text = getSystemErrorMap().get(Number(error.errno))?.[1] ?? error.message
  return fault(task, { path: String(at), reason: String(error.code), text, ...about })
}

/** What went wrong on the other side. */
export function remoteFault(task: CopyTask, [, path, code, text, renewed]: readonly unknown[]): CopyError {
  const about = { renewed: Array.isArray(renewed) ? renewed.map(messages.said) : [], place: task.gateway.id }
  return fault(task, { path: messages.said(path), reason: messages.said(code), text: messages.said(text), ...about })
}

/** Refuses a path that no system has; `isHere` says whose it is. */
export function checkPath(task: CopyTask, path: string, isHere: boolean): void {
  const what = path.includes('\0') ? 'a NUL' : /\p{Surrogate}/u.test(path) ? 'half of a surrogate pair' : undefined
  if (what === undefined) return
  const about = isHere ? {} : { place: task.gateway.id }
  throw fault(task, { path, reason: 'EINVAL', text: `there is ${what} in the path`, renewed: [], ...about })
}

/** Who copies here: `at` is what it is busy with, `renewed` what has come to its place. */
interface Side {
  readonly at: Buffer
  readonly renewed?: readonly Buffer[]
}

interface Fault {
  readonly path: string
  readonly reason: string
  readonly text: string
  readonly renewed: readonly string[]
  readonly place?: string
  readonly cause?: unknown
}

function fault({ intent }: CopyTask, { path, reason, text, renewed, place, cause }: Fault): CopyError {
  const where = place === undefined ? path : `${path} (on ${place})`
  const hint = advice[reason] === undefined ? '' : ` ${advice[reason]}`
  const message = `${intent}: ${where}: ${text}${reason === '' ? '' : ` (${reason})`}.${hint}${told(renewed)}`
  const about = { path, reason, gatewayId: place, renewed }
  return new CopyError(message, { ...about, ...(cause === undefined ? {} : { cause }) })
}

/** What is new already, for people. */
function told(renewed: readonly string[]): string {
  if (renewed.length === 0) return ''
  const more = renewed.length - MOST_TOLD
  return ` New already: ${renewed.slice(0, MOST_TOLD).join(', ')}${more > 0 ? `, and ${more} more` : ''}.`
}
