/** What a kind of gateway is: one way to reach a Python, and all that tells it from the others. */
import type { XSpec } from '../specs/xspec.js'
import type { Connecting } from '../transports/connecting.js'
import type { Origin } from '../transports/origin.js'
import type { Transport } from '../transports/transport.js'
import type { BaseGateway } from './gateway.js'
import type { Hello } from './hello.js'

/** What a kind is given to open a gateway. */
export interface KindContext {
  /** What the interpreter gets as its `-c` argument. */
  readonly loaderLine: string
  /** Where the way begins: this machine, or that of the gateway which `via=` names. */
  readonly origin: Origin
  /** The gateway of the group that a key of the spec names. @throws XSpecError when there is none. */
  gatewayFor(key: 'via' | 'installvia'): BaseGateway
  /** Takes the phases of the way, asks a person, and tells when the gateway is given up; `python` is the last phase that a kind enters. */
  readonly connecting: Connecting
}

/** A transport to an interpreter that runs the loader, and what to call it in errors. */
export interface Opened {
  readonly transport: Transport
  readonly tried: readonly string[]
  /** Variables that the worker is to set before there is any user code: those of the spec that no command line is to carry. */
  readonly variables?: Readonly<Record<string, string>> | undefined
  readonly onHello?: ((hello: Hello) => void) | undefined
}

/** One way to reach a Python. */
export interface GatewayKind {
  /** The xspec key that chooses it. */
  readonly key: string
  /** Further keys that are about it, and that a gateway of a kind without them is refused. */
  readonly keys: readonly string[]
  /** What it reaches, for help texts. */
  readonly summary: string
  open(spec: XSpec, context: KindContext): Opened
}
