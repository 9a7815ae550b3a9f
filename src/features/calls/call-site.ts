/** Where in the program a call stands, read off the stack: as Node prints it, and so with source maps where they are on. */
import { fileURLToPath } from 'node:url'

/** A place in a source file. */
export interface CallSite {
  /** A path, or what the stack says instead. */
  readonly file: string
  /** Counted from 1. */
  readonly line: number
}

const nowhere: CallSite = { file: '<template>', line: 1 }

/** Who called `callee`, which must be on the stack. */
export function callSiteOf(callee: (...args: never[]) => unknown): CallSite {
  const trace: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 1
  Error.captureStackTrace(trace, callee)
  const { stack = '' } = trace // put together when it is first read, with the limit that was set
  Error.stackTraceLimit = limit
  const [, place, line] = /^\s*at (?:.*? \()?(.+):(\d+):\d+\)?$/m.exec(stack) ?? []
  return place === undefined ? nowhere : { file: pathOf(place), line: Number(line) }
}

function pathOf(place: string): string {
  if (!place.startsWith('file:')) return place
  try {
    return fileURLToPath(place)
  } catch {
    return place // a URL of another machine
  }
}
