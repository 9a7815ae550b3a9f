/** Groups of the gateways that users hold, and the one for gateways that name none. */
import { BaseGroup, faultOf, type GroupOptions, type MakeGatewayOptions, type XSpecLike } from './core.js'
import { providedBy } from './features/elastic/spec.js'
import { Gateway } from './gateway.js'
import { asError } from './thrown.js'

/** Gateways owned together, in the order in which they were made. */
export class Group extends BaseGroup<Gateway> {
  constructor(options: GroupOptions = {}) {
    super((parts) => provided(new Gateway(parts)), options)
  }

  /**
   * Makes a group with a gateway for every spec, all opened at the same time; `3*popen` stands for three, `@hosts.txt` for
   * the specs of a file: see `readSpecs`.
   *
   * @throws What the first gateway that failed was rejected with, which names its spec; the others have been closed then.
   * @example
   * ```ts
   * await using group = await Group.open(['popen', '2*popen//nice=5'])
   * group.size // 3
   * ```
   */
  static open(specs: Iterable<XSpecLike>, options: GroupOptions & MakeGatewayOptions = {}): Promise<Group> {
    return new Group(options).openAll(specs, options)
  }
}

/** The group of gateways that were made without naming one. */
export const defaultGroup: Group = new Group()

/**
 * Opens a gateway in the default group and waits until its worker is there.
 *
 * @param spec - `popen` when absent.
 * @throws {@link XSpecError} for a spec that cannot be opened; nothing has been started then.
 * @throws {@link BootstrapError} when no worker came to life; it says what was tried and what came back.
 * @example
 * ```ts
 * await using gateway = await makeGateway('popen')
 * const channel = gateway.remoteExec('import os; channel.send(os.getpid())')
 * await channel.receive() // the process id of that Python
 * ```
 */
export function makeGateway(spec?: XSpecLike, options?: MakeGatewayOptions): Promise<Gateway> {
  return defaultGroup.makeGateway(spec, options)
}

/** What its spec says is provided: it goes ahead of whatever is executed on the gateway. */
function provided(gateway: Gateway): Gateway {
  const options = providedBy(gateway.spec)
  if (options === undefined) return gateway
  try {
    gateway.provide(options)
  } catch (error) {
    gateway.fail(faultOf(asError(error)))
  }
  return gateway
}
