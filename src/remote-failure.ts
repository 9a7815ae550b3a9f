/**
 * What is known of a failure on the other side, read from the reason of a CLOSE frame (PROTOCOL.md §4). Whatever a peer may
 * have sent is read as far as it makes sense; nothing here throws.
 */

/** One line of Python's traceback, outermost first, as `traceback.extract_tb` gives it. */
export interface RemoteFrame {
  readonly file: string
  readonly line: number
  /** The function's name, `<module>` outside of any. */
  readonly name: string
  /** The source line, empty when it is not known. */
  readonly text: string
}

/** What is known of a failure on the other side: plain data, kept by a channel for every later throw. */
export interface RemoteFailure {
  readonly gatewayId: string
  /** The error's one line, or exactly the text of a `close(text)`. */
  readonly message: string
  /** The name of Python's class, such as `ValueError`; empty for a `close(text)`. */
  readonly type: string
  /** The module of that class, such as `builtins`; empty for a `close(text)`. */
  readonly module: string
  readonly args: readonly unknown[]
  /** Python's own text; for a `close(text)` that text. */
  readonly traceback: string
  readonly frames: readonly RemoteFrame[]
  readonly cause: RemoteFailure | undefined
  /** Whether code has exited as programs that have not failed do. It is asked of failures that nobody has asked for: no more of `args` is read. */
  readonly isPeacefulExit: boolean
}

/**
 * Reads the reason of a CLOSE frame once, for a channel that throws a fresh `RemoteError` each time it is asked.
 *
 * @param readArgument - Makes an argument of what stands for it in the reason.
 */
export function remoteFailureFrom(
  reason: unknown,
  gatewayId: string,
  readArgument: (argument: unknown) => unknown = (argument) => argument,
): RemoteFailure {
  if (isRecord(reason)) return failureOf(reason, { gatewayId, readArgument }, 0)
  const text = typeof reason === 'string' ? reason : 'the other side sent an error that cannot be read'
  return {
    gatewayId,
    message: text,
    traceback: text,
    type: '',
    module: '',
    args: [],
    frames: [],
    cause: undefined,
    isPeacefulExit: false,
  }
}

// Of each of its texts: more than a worker sends.
const maxCharacters = 2 ** 20 + 2 ** 10
// A peer's pickle may hold a cause that is its own cause: causes deeper than this are left out.
const maxCauses = 16
// Of one exception: of a recursion without end Python has told its last words at some thousand.
const maxFrames = 100_000

// Of a payload that is 0 or None.
const MOST_OF_STATUS = 32

interface Reading {
  readonly gatewayId: string
  readonly readArgument: (argument: unknown) => unknown
}

function failureOf(wire: Record<string, unknown>, reading: Reading, depth: number): RemoteFailure {
  const { args } = wire
  let known: readonly unknown[] | undefined
  let frames: readonly RemoteFrame[] | undefined
  const type = textOf(wire['type']) || 'Exception'
  const message = summaryOf(type, textOf(wire['message']))
  return {
    gatewayId: reading.gatewayId,
    message,
    type,
    module: textOf(wire['module']),
    // Read when somebody asks for them: most are never asked for, and they may be long.
    get args() {
      known ??= Array.isArray(args) ? Array.from(args, reading.readArgument) : []
      return known
    },
    get isPeacefulExit() {
      return (
        type === 'SystemExit' && Array.isArray(args) && args.length < 2 && args.every((arg) => isNothing(arg, reading))
      )
    },
    traceback: textOf(wire['traceback']) || message,
    get frames() {
      frames ??= Array.isArray(wire['frames']) ? wire['frames'].slice(0, maxFrames).filter(isRecord).map(frameOf) : []
      return frames
    },
    cause: isRecord(wire['cause']) && depth < maxCauses ? failureOf(wire['cause'], reading, depth + 1) : undefined,
  }
}

/** 0 or None. What has more than a few bytes is neither. */
function isNothing(argument: unknown, { readArgument }: Reading): boolean {
  if (argument instanceof Uint8Array && argument.length > MOST_OF_STATUS) return false
  const status = readArgument(argument)
  return status === 0 || status === null
}

/** One line, whatever the exception's own text was: test reporters and logs print it as a title. */
function summaryOf(type: string, message: string): string {
  const text = message.trim()
  const end = text.search(/[\r\n]/)
  const line = end === -1 ? text : `${text.slice(0, end).trimEnd()} …`
  return line === '' ? type : `${type}: ${line}`
}

function frameOf(wire: Record<string, unknown>): RemoteFrame {
  const line = wire['line']
  return {
    file: textOf(wire['file']),
    line: typeof line === 'number' ? line : 0,
    name: textOf(wire['name']),
    text: textOf(wire['text']),
  }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') return ''
  return value.length <= maxCharacters ? value : `${value.slice(0, maxCharacters)} …`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
