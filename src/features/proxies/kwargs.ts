/** Keyword arguments of a call that is written as a call: its last argument. */
import { brandValues } from '../../core.js'
import { refuseSignals } from '../calls/calls.js'

/** Made by {@link kwargs}. */
export class Kwargs<T extends object = Readonly<Record<string, unknown>>> {
  readonly values: T

  constructor(values: T) {
    this.values = values
  }
}

brandValues({ Kwargs })

/**
 * Keyword arguments for a function that is called as one of `gateway.modules`, of a reference or of a service.
 *
 * @example
 * ```ts
 * await gateway.modules.json.dumps([1, 2], kwargs({ indent: 1 })) // '[\n 1,\n 2\n]'
 * ```
 * @throws TypeError for an AbortSignal, which is no value for Python.
 */
export function kwargs<T extends object>(values: T): Kwargs<T> {
  refuseSignals(values, 'keyword arguments')
  return new Kwargs({ ...values })
}

/** Tells the arguments of a call from its keyword arguments; those may be missing. */
export function splitArguments(args: readonly unknown[]): [args: readonly unknown[], kwargs?: object] {
  const last = args.at(-1)
  return last instanceof Kwargs ? [args.slice(0, -1), last.values] : [args]
}
