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
}

/** Reads the reason of a CLOSE frame once, for a channel that throws a fresh `RemoteError` each time it is asked. */
export function remoteFailureFrom(reason: unknown, gatewayId: string): RemoteFailure {
  if (isRecord(reason)) return failureOf(reason, gatewayId, 0)
  const text = typeof reason === 'string' ? reason : 'the other side sent an error that cannot be read'
  return { gatewayId, message: text, traceback: text, type: '', module: '', args: [], frames: [], cause: undefined }
}

// A peer's pickle may hold a cause that is its own cause: causes deeper than this are left out.
const maxCauses = 16

function failureOf(wire: Record<string, unknown>, gatewayId: string, depth: number): RemoteFailure {
  const type = textOf(wire['type']) || 'Exception'
  const message = summaryOf(type, textOf(wire['message']))
  return {
    gatewayId,
    message,
    type,
    module: textOf(wire['module']),
    args: Array.isArray(wire['args']) ? [...wire['args']] : [],
    traceback: textOf(wire['traceback']) || message,
    frames: Array.isArray(wire['frames']) ? wire['frames'].filter(isRecord).map(frameOf) : [],
    cause: isRecord(wire['cause']) && depth < maxCauses ? failureOf(wire['cause'], gatewayId, depth + 1) : undefined,
  }
}

/** One line, whatever the exception's own text was: test reporters and logs print it as a title. */
function summaryOf(type: string, message: string): string {
  const [line = '', ...more] = message.trim().split(/\s*[\r\n]\s*/)
  return line === '' ? type : `${type}: ${line}${more.length > 0 ? ' …' : ''}`
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
  return typeof value === 'string' ? value : ''
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
