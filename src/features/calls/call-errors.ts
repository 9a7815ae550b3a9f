/** The errors of calls: of what is wrong with a value, where in the call it is; of a gateway that ended, what became of the call. */
import { type Delivery, DumpError, failureOf, GatewayClosedError, LoadError, RemoteError } from '../../core.js'

/** What the user calls the members of a request, by its operation: errors name them. */
const names: Readonly<Record<string, readonly string[]>> = {
  call: ['path', 'args', 'kwargs'],
  eval: ['source', 'names'],
  template: ['template', 'values'],
}

/** The error for a request that was not sent. */
export function errorOfRequest(error: unknown, [operation]: readonly unknown[]): unknown {
  if (!(error instanceof DumpError)) return withDelivery(error, 'not-sent')
  const [, index = '', rest = ''] = /^item\[(\d+)\](.*)$/s.exec(error.path) ?? []
  const name = names[String(operation)]?.[Number(index) - 1]
  return name === undefined ? error : moved(error, error.path, `${name}${rest}`)
}

/** The error of a gateway that has ended, with what became of a call; any other error as it is. @param note - What else is to be said of the call. */
export function withDelivery(error: unknown, delivery: Delivery, note = ''): unknown {
  if (!(error instanceof GatewayClosedError)) return error
  const { message, exitCode, signal, stderrTail, cause } = error
  return new GatewayClosedError(`${message}${note}`, { exitCode, signal, stderrTail, cause, delivery })
}

/** The error for the failure in a reply: what Python raised, a DumpError for a result that cannot be sent, a LoadError for one that cannot be read. */
export function errorOfReply(failure: unknown, gatewayId: string): RemoteError | DumpError | LoadError {
  if (failure instanceof LoadError)
    return new LoadError(failure.message.replace('an item', 'the result'), { cause: failure.cause })
  return unsendable(new RemoteError(failureOf(failure, gatewayId)))
}

/** That a result cannot be sent is told as what Python raises then; beside its text that has the path, as no exception of its own has. */
export function unsendable(error: RemoteError): RemoteError | DumpError {
  const [text, path] = error.args
  if (error.type !== 'DumpError' || typeof text !== 'string' || typeof path !== 'string') return error
  return new DumpError(text, { path })
}

function moved(error: DumpError, from: string, to: string): DumpError {
  return new DumpError(
    error.message.replace(from, () => to),
    { path: to, cause: error.cause },
  )
}
