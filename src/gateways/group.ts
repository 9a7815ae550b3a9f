/** Gateways that belong together: named, opened, used and ended as one. */
import { MultiChannel } from '../channels/multi-channel.js'
import { XSpecError } from '../errors.js'
import type { Prompt } from '../transports/connecting.js'
import { here } from '../transports/origin.js'
import { Arrivals, type ListenOptions } from './arrivals.js'
import { loaderLine } from './bootstrap.js'
import type { Gateway, GatewayParts } from './gateway.js'
import { openArrival, specsOfArrivals } from './home.js'
import { readSpecs } from './hosts-file.js'
import type { GatewayKind, Opened } from './kind.js'
import { kindOf } from './kinds.js'
import { type OnPhase, Opening } from './opening.js'
import { type OnOutput, printOutput } from './output.js'
import type { Source } from './source.js'
import type { TerminateReport } from './termination.js'
import { originVia } from './via.js'
import { XSpec } from './xspec.js'

/** How a group opens its gateways. */
export interface GroupOptions {
  /** The spec for gateways that are made without one; `popen` when absent. */
  readonly defaultSpec?: string | undefined
  /** Takes what remote code prints; the default prints it here, tagged with the gateway. */
  readonly onOutput?: OnOutput | undefined
  /** Answers what only a person can: passwords, passphrases. Without it such questions are declined, and other ways tried. */
  readonly prompt?: Prompt | undefined
  /** Takes every step of every gateway on its way to a worker. */
  readonly onPhase?: OnPhase | undefined
}

/** How one gateway is opened. */
export interface MakeGatewayOptions {
  /** Aborting ends the attempt and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** These three go before those of the group. */
  readonly onOutput?: OnOutput | undefined
  readonly prompt?: Prompt | undefined
  readonly onPhase?: OnPhase | undefined
}

/** Gateways of one class owned together, in the order in which they were made. `Group` is the one that users make. */
export class GroupOf<G extends Gateway> implements Iterable<G>, AsyncDisposable {
  readonly #makeGateway: (parts: GatewayParts) => G
  readonly #defaultSpec: string
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
  async makeGateway(spec?: string | XSpec, options: MakeGatewayOptions = {}): Promise<G> {
    options.signal?.throwIfAborted()
    return this.#whenReady(this.launchGateway(spec, options), options.signal)
  }

  /**
   * Opens a gateway without waiting: what is executed on it at once leaves together with the worker's own code, in one write.
   * `gateway.ready` tells when the worker is there; a gateway that fails leaves the group by itself.
   *
   * @throws {@link XSpecError} and {@link BootstrapError} as `makeGateway` rejects, when it is known at once.
   */
  launchGateway(spec?: string | XSpec, options: MakeGatewayOptions = {}): G {
    const parsed = parse(spec ?? this.#defaultSpec)
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
  async openAll(specs: Iterable<string | XSpec>, options: MakeGatewayOptions = {}): Promise<this> {
    const all = [...specs].flatMap((spec) => (typeof spec === 'string' ? readSpecs([spec]) : [spec]))
    try {
      const gateways = carriersFirst(all).map((spec) => this.launchGateway(spec, options))
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
      throw new XSpecError(`already have a gateway with id "${spec.id}", in "${spec}"; choose another id=`)
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
    const killed = []
    while (this.size > 0) {
      const carriers = new Set([...this].flatMap(({ spec }) => [spec.via, spec.installvia]))
      const leaves = [...this].filter((gateway) => !carriers.has(gateway.id))
      const reports = await Promise.all(leaves.map((gateway) => gateway.terminate(options)))
      for (const gateway of leaves) this.#gateways.delete(gateway.id)
      killed.push(...reports.flatMap((report) => report.killed))
    }
    return { killed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
  }

  #launch(spec: XSpec, options: MakeGatewayOptions, open: (opening: Opening) => Opened): G {
    this.allocateId(spec)
    const id = spec.id ?? ''
    const { onOutput = printOutput, prompt, onPhase } = { ...this.#options, ...defined(options) }
    const opening = new Opening({ gateway: id, timeoutMs: spec.timeout, prompt, onPhase })
    const gateway = this.#makeGateway({ ...open(opening), id, spec, onOutput, opening })
    this.#gateways.set(id, gateway)
    void gateway.closed.then(() => this.#gateways.delete(id))
    return gateway
  }

  #openKind(kind: GatewayKind, spec: XSpec, connecting: Opening): Opened {
    try {
      const gatewayFor = (key: 'via' | 'installvia'): Gateway => this.#gatewayFor(spec, key)
      const carrier = spec.via === undefined ? undefined : gatewayFor('via')
      if (carrier !== undefined) connecting.follow(carrier)
      const origin = carrier === undefined ? here : originVia(carrier)
      return kind.open(spec, { loaderLine: loaderLine(), origin, gatewayFor, connecting })
    } catch (error) {
      connecting.end(() => (error instanceof Error ? error : new Error(String(error))))
      throw error
    }
  }

  #gatewayFor(spec: XSpec, key: 'via' | 'installvia'): Gateway {
    const id = spec[key] ?? ''
    const gateway = this.#gateways.get(id)
    if (gateway !== undefined) return gateway
    throw new XSpecError(`${key}=${id} names no gateway of the group, in "${spec}"; open it first, with id=${id}`)
  }

  async #whenReady(gateway: G, signal: AbortSignal | undefined): Promise<G> {
    const onAbort = (): void => void gateway.terminate({ timeout: 0 })
    signal?.addEventListener('abort', onAbort)
    try {
      return await gateway.ready
    } catch (error) {
      this.#gateways.delete(gateway.id)
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

/** The options that are given: one that is `undefined` is as good as absent. */
function defined(options: MakeGatewayOptions): MakeGatewayOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function parse(spec: string | XSpec): XSpec {
  return typeof spec === 'string' ? XSpec.parse(spec) : spec
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
