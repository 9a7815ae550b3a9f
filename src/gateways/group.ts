/** Gateways that belong together: named, opened, used and ended as one. */
import { totalmem } from 'node:os'
import { MultiChannel } from '../channels/multi-channel.js'
import { addAbortListener, checkSignal, removeAbortListener } from '../channels/signals.js'
import { XSpecError } from '../errors.js'
import { checkMaxHeldBytes } from '../protocol/held.js'
import { checkMaxItemBytes, MAX_ITEM_BYTES } from '../protocol/too-long.js'
import { readSpecs } from '../specs/hosts-file.js'
import { XSpec, type XSpecLike } from '../specs/xspec.js'
import { asError } from '../thrown.js'
import { checkMs } from '../timer.js'
import { faultOf, type Prompt } from '../transports/connecting.js'
import { openEnded } from '../transports/ended.js'
import { here } from '../transports/origin.js'
import { Arrivals, type ListenOptions } from './arrivals.js'
import { loaderLine } from './bootstrap.js'
import { originVia } from './carriers/via.js'
import type { BaseGateway } from './gateway.js'
import type { GatewayParts } from './gateway-parts.js'
import type { GatewayKind, Opened } from './kind.js'
import { openArrival, specsOfArrivals } from './kinds/home.js'
import { kindOf } from './kinds.js'
import { type OnPhase, Opening } from './opening.js'
import { type OnOutput, printOutput } from './output.js'
import type { Source } from './source.js'
import { type TerminateReport, together } from './termination.js'
import { type OnTrace, traceOf } from './trace.js'

const HELD_BYTES = Math.max(Math.floor(totalmem() / 4), MAX_ITEM_BYTES)

/** How a group opens its gateways. */
export interface GroupOptions {
  /** The spec for gateways that are made without one; `popen` when absent. */
  readonly defaultSpec?: XSpecLike | undefined
  /** Takes what remote code prints; the default prints it here, tagged with the gateway. */
  readonly onOutput?: OnOutput | undefined
  /** Answers what only a person can: passwords, passphrases. Without it such questions are declined, and other ways tried. */
  readonly prompt?: Prompt | undefined
  /** Takes every step of every gateway on its way to a worker. */
  readonly onPhase?: OnPhase | undefined
  /** Takes a line for each frame and each phase of every gateway, as NODE_DEBUG=tendril prints them: when, which way, what kind and how long. */
  readonly onTrace?: OnTrace | undefined
  /** Bytes that an item may take, either way; 1 GiB when absent. A longer one fails alone: the gateway goes on. */
  readonly maxItemBytes?: number | undefined
  /**
   * Bytes that a gateway may have sent and that nobody has taken, in all its channels together; when absent a quarter of this machine's memory, 1 GiB at least.
   * Beyond it that gateway ends, with a ProtocolError that says so. What somebody waits for does not count.
   */
  readonly maxHeldBytes?: number | undefined
}

/** How one gateway is opened. */
export interface MakeGatewayOptions {
  /** Aborting ends the attempt and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** These go before those of the group. */
  readonly onOutput?: OnOutput | undefined
  readonly prompt?: Prompt | undefined
  readonly onPhase?: OnPhase | undefined
  readonly onTrace?: OnTrace | undefined
  readonly maxItemBytes?: number | undefined
  readonly maxHeldBytes?: number | undefined
}

/** Gateways of one class owned together, in the order in which they were made. `Group` is the one that users make. */
export class BaseGroup<G extends BaseGateway> implements Iterable<G>, AsyncDisposable {
  readonly #makeGateway: (parts: GatewayParts) => G
  readonly #defaultSpec: XSpecLike
  readonly #options: GroupOptions
  readonly #gateways = new Map<string, G>()
  #nextId = 0

  constructor(makeGateway: (parts: GatewayParts) => G, options: GroupOptions = {}) {
    this.#makeGateway = makeGateway
    this.#defaultSpec = options.defaultSpec ?? 'popen'
    this.#options = options
  }

  /** How many gateways there are. */
  get size(): number {
    return this.#gateways.size
  }

  [Symbol.iterator](): IterableIterator<G> {
    return [...this.#gateways.values()][Symbol.iterator]()
  }

  /** Whether a gateway has that id. */
  has(id: string): boolean {
    return this.#gateways.has(id)
  }

  /**
   * The gateway with that id, or at that index in the order of making; negative ones count from the end.
   *
   * @throws RangeError when there is none.
   */
  get(idOrIndex: string | number): G {
    const gateway =
      typeof idOrIndex === 'string' ? this.#gateways.get(idOrIndex) : [...this.#gateways.values()].at(idOrIndex)
    if (gateway !== undefined) return gateway
    const ids = [...this.#gateways.keys()].join(', ')
    throw new RangeError(`no gateway ${JSON.stringify(idOrIndex)}: there are ${ids === '' ? 'none' : ids}`)
  }

  /**
   * Opens a gateway and waits until its worker is there.
   *
   * @param spec - `popen` and the like; the group's default when absent.
   * @throws {@link XSpecError} for a spec that cannot be opened or an id that is taken: nothing has been started then.
   * @throws {@link BootstrapError} when no worker came to life, {@link HostNotFoundError}, {@link HostKeyError} and
   *   {@link AuthenticationError} when its host was not reached. The group does not keep the gateway.
   */
  async makeGateway(spec?: XSpecLike, options: MakeGatewayOptions = {}): Promise<G> {
    checkSignal(options.signal)
    options.signal?.throwIfAborted()
    return this.#whenReady(this.launchGateway(spec, options), options.signal)
  }

  /**
   * Opens a gateway without waiting: what is executed on it at once leaves together with the worker's own code, in one write.
   * `gateway.ready` tells when the worker is there; a gateway that fails leaves the group by itself.
   *
   * @throws {@link XSpecError} for what is no spec, or that of several gateways or of no kind that there is, and for an id that is taken. Whatever else keeps
   *   the gateway from its worker, at once or later, `ready` rejects with: XSpecErrors too, such as that of a file that a key names and that is not there.
   */
  launchGateway(spec?: XSpecLike, options: MakeGatewayOptions = {}): G {
    const parsed = this.#one(spec)
    const kind = kindOf(parsed)
    return this.#launch(parsed, options, (opening) => this.#openKind(kind, parsed, opening))
  }

  /**
   * Listens for workers that dial home: each that comes becomes a gateway of the group. One that comes back is a new gateway.
   *
   * @throws {@link XSpecError} for a token that is too short or a spec that is none; the system's error when it cannot listen.
   */
  listen(options: ListenOptions = {}): Promise<Arrivals<G>> {
    const specFor = specsOfArrivals(options.spec)
    const { id } = specFor('anywhere')
    if (id !== undefined) this.allocateId(specFor('anywhere'))
    return Arrivals.open(options, (arrival) =>
      this.#launch(specFor(arrival.address), {}, (opening) => openArrival(arrival, opening)),
    )
  }

  /**
   * Opens a gateway for every spec, all at the same time, and waits until their workers are there; `3*popen` stands for three,
   * `@hosts.txt` for the specs of a file: see `readSpecs`.
   *
   * @throws What the first gateway that failed was rejected with, which names its spec; all gateways of the group have been closed then.
   */
  async openAll(specs: Iterable<XSpecLike>, options: MakeGatewayOptions = {}): Promise<this> {
    checkSignal(options.signal)
    try {
      const gateways = carriersFirst(readSpecs(specs).map(copyOf)).map((spec) => this.launchGateway(spec, options))
      await Promise.all(gateways.map((gateway) => this.#whenReady(gateway, options.signal)))
    } catch (error) {
      await this.terminate({ timeout: 0 })
      throw error
    }
    return this
  }

  /**
   * Gives a spec the id that its gateway will have: its own, or the next of gw0, gw1, ….
   *
   * @throws {@link XSpecError} when a gateway of the group has that id.
   */
  allocateId(spec: XSpec): void {
    if (spec.id === undefined) {
      do spec.id = `gw${this.#nextId++}`
      while (this.has(spec.id))
    } else if (this.has(spec.id)) {
      throw new XSpecError(`already have a gateway with id "${spec.id}", in "${spec.shown}"; choose another id=`)
    }
  }

  /** Runs source on every gateway; see `Gateway.remoteExec`. The channels come in the order of the gateways. */
  remoteExec<R = unknown, S = unknown>(
    source: Source,
    kwargs?: Readonly<Record<string, unknown>>,
  ): MultiChannel<R, S, G> {
    return new MultiChannel([...this].map((gateway) => gateway.remoteExec<R, S>(source, kwargs)))
  }

  /**
   * Ends all gateways at the same time, those that carry others (`via=`) last. Afterwards the group is empty and can be used again.
   *
   * @param options.timeout - Milliseconds that each has to leave in peace; 2000 when absent.
   */
  async terminate(options: { readonly timeout?: number } = {}): Promise<TerminateReport> {
    checkMs('timeout', options.timeout)
    const ended: TerminateReport[] = []
    while (this.size > 0) {
      const carriers = new Set([...this].flatMap(({ spec }) => [spec.via, spec.installvia]))
      const leaves = [...this].filter((gateway) => !carriers.has(gateway.id))
      const reports = await Promise.all(leaves.map((gateway) => gateway.terminate(options)))
      for (const gateway of leaves) this.#gateways.delete(gateway.id)
      ended.push(...reports)
    }
    return together(ended)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
  }

  /** The spec of one gateway. */
  #one(given: XSpecLike | undefined): XSpec {
    const spec = XSpec.from(given === undefined || given === '' ? this.#defaultSpec : given)
    if (spec.count === 1) return copyOf(spec)
    throw new XSpecError(`"${spec.shown}" stands for ${spec.count} gateways, and this makes one; Group.open takes it`)
  }

  #launch(spec: XSpec, options: MakeGatewayOptions, open: (opening: Opening) => Opened): G {
    const given = { ...this.#options, ...defined(options) }
    const { onOutput = printOutput, prompt, onPhase, onTrace, maxItemBytes, maxHeldBytes = HELD_BYTES } = given
    if (maxItemBytes !== undefined) checkMaxItemBytes(maxItemBytes)
    checkMaxHeldBytes(maxHeldBytes)
    this.allocateId(spec)
    const id = spec.id ?? ''
    const trace = traceOf(id, onTrace)
    const opening = new Opening({ gateway: id, timeoutMs: spec.timeout, prompt, onPhase, trace })
    const limits = { maxItemBytes, maxHeldBytes }
    const gateway = this.#makeGateway({ ...open(opening), id, spec, onOutput, opening, trace, ...limits })
    this.#gateways.set(id, gateway)
    void gateway.closed.then(() => this.#gateways.delete(id))
    return gateway
  }

  #openKind(kind: GatewayKind, spec: XSpec, connecting: Opening): Opened {
    try {
      const gatewayFor = (key: 'via' | 'installvia'): BaseGateway => this.#gatewayFor(spec, key)
      const carrier = spec.via === undefined ? undefined : gatewayFor('via')
      if (carrier !== undefined) connecting.follow(carrier)
      const origin = carrier === undefined ? here : originVia(carrier)
      return kind.open(spec, { loaderLine: loaderLine(), origin, gatewayFor, connecting })
    } catch (error) {
      return { transport: openEnded({ error: faultOf(asError(error)) }), tried: [spec.shown] }
    }
  }

  #gatewayFor(spec: XSpec, key: 'via' | 'installvia'): BaseGateway {
    const id = spec[key] ?? ''
    const gateway = this.#gateways.get(id)
    if (gateway !== undefined) return gateway
    throw new XSpecError(`${key}=${id} names no gateway of the group, in "${spec.shown}"; open it first, with id=${id}`)
  }

  async #whenReady(gateway: G, signal: AbortSignal | undefined): Promise<G> {
    const onAbort = (): void => void gateway.terminate({ timeout: 0 })
    if (signal !== undefined) addAbortListener(signal, onAbort)
    try {
      return await gateway.ready
    } catch (error) {
      this.#gateways.delete(gateway.id)
      signal?.throwIfAborted()
      throw error
    } finally {
      if (signal !== undefined) removeAbortListener(signal, onAbort)
    }
  }
}

/** A spec for one gateway, whose id it will have: the same may be given for many. */
function copyOf(spec: XSpec): XSpec {
  const copy = XSpec.parse(String(spec))
  copy.id = spec.id
  return copy
}

/** The options that are given: one that is `undefined` is as good as absent. */
function defined(options: MakeGatewayOptions): MakeGatewayOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** The same specs, each behind those that its via= and installvia= name; otherwise in their order. */
function carriersFirst(specs: readonly XSpec[]): XSpec[] {
  const ordered = new Set<XSpec>()
  const visit = (spec: XSpec, behind: readonly XSpec[]): void => {
    for (const other of specs) {
      const isCarrier = other.id !== undefined && (other.id === spec.via || other.id === spec.installvia)
      if (isCarrier && !behind.includes(other)) visit(other, [...behind, spec])
    }
    ordered.add(spec)
  }
  for (const spec of specs) visit(spec, [])
  return [...ordered]
}
