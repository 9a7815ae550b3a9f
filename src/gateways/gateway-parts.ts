import type { XSpec } from '../specs/xspec.js'
import type { Transport } from '../transports/transport.js'
import type { Hello } from './hello.js'
import type { Opening } from './opening.js'
import type { OnOutput } from './output.js'
import type { Trace } from './trace.js'

/** What a gateway is made of; groups make them. */
export interface GatewayParts {
  readonly id: string
  readonly spec: XSpec
  readonly transport: Transport
  /** The command line or address, for errors. */
  readonly tried: readonly string[]
  readonly onOutput: OnOutput
  readonly opening: Opening
  /** Told of every frame. */
  readonly trace?: Trace | undefined
  /** What the worker is to set of the spec's variables. */
  readonly variables?: Readonly<Record<string, string>> | undefined
  /** Bytes of an item, either way; 1 GiB when absent. */
  readonly maxItemBytes?: number | undefined
  /** Bytes that the worker may have sent and nobody has taken; unlimited when absent. */
  readonly maxHeldBytes?: number | undefined
  /** Told of the worker's interpreter when it is ready. */
  readonly onHello?: ((hello: Hello) => void) | undefined
}
