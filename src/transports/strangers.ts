/** Those who have reached a listener and proved nothing: whichever way they come, they cost no more than so much time and so many places. */
import type { Socket } from 'node:net'
import { Timer } from '../timer.js'

/** What strangers may cost a listener. */
export interface StrangerLimits {
  /** How many there may be at a time; 512 when absent. When one more comes, the oldest of those of whom most are at one address makes room. */
  readonly budget?: number | undefined
  /** How long each has, from accept to proof; 10 s when absent. */
  readonly patienceMs?: number | undefined
}

/** A connection until its other side has proved something. */
export interface Stranger {
  readonly socket: Socket
  /** Aborted, with the reason, when its time is up or when it makes room; the connection is destroyed then. */
  readonly signal: AbortSignal
}

/** A stranger's place. */
class Place implements Stranger {
  readonly socket: Socket
  readonly name: string
  readonly network: string
  readonly late: Timer
  readonly #controller = new AbortController()

  constructor(socket: Socket, name: string, patienceMs: number) {
    this.socket = socket
    this.name = name
    this.network = networkOf(socket.remoteAddress ?? '')
    this.late = new Timer(patienceMs, () => this.cut('it took too long to prove that it knows a token')).unref()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  cut(reason: string): void {
    this.#controller.abort(new Error(reason))
    this.socket.destroy()
  }
}

/** All strangers of one listener. */
export class Strangers {
  readonly #budget: number
  readonly #patienceMs: number
  /** By the name of their connection: who encrypts has another socket than the one that was accepted. */
  readonly #places = new Map<string, Place>()
  /** By the network that they come from; of each the oldest is the first. */
  readonly #networks = new Map<string, Set<Place>>()
  /** Those of them that nobody has heard yet. */
  readonly #unheard = new Map<string, Set<Place>>()

  constructor({ budget = 512, patienceMs = 10_000 }: StrangerLimits = {}) {
    this.#budget = budget
    this.#patienceMs = patienceMs
  }

  /** How many there are. */
  get size(): number {
    return this.#places.size
  }

  /** Somebody was accepted. Undefined when the connection is over already. */
  add(socket: Socket): Stranger | undefined {
    const name = nameOf(socket)
    if (name === undefined) return undefined
    if (this.#places.size >= this.#budget) this.#makeRoom()
    const place = new Place(socket, name, this.#patienceMs)
    this.#places.set(name, place)
    for (const networks of [this.#networks, this.#unheard])
      networks.set(place.network, (networks.get(place.network) ?? new Set()).add(place))
    socket.once('close', () => this.#remove(place))
    return place
  }

  /** The next one to be heard: of each network in turn, so that a flood from some keeps nobody of another waiting. Undefined when all have been. */
  next(): Stranger | undefined {
    const [network] = this.#unheard.keys()
    if (network === undefined) return undefined
    const places = this.#unheard.get(network)
    const [place] = places ?? []
    this.#unheard.delete(network)
    if (places === undefined || place === undefined) return this.next()
    places.delete(place)
    if (places.size > 0) this.#unheard.set(network, places) // behind the others
    return place
  }

  /** The one at the other end of a socket; undefined when it has gone, or is no stranger any more. */
  of(socket: Socket): Stranger | undefined {
    const name = nameOf(socket)
    return name === undefined ? undefined : this.#places.get(name)
  }

  /** It has proved something: its deadline is off, and its place is free. */
  letIn(stranger: Stranger): void {
    if (stranger instanceof Place) this.#remove(stranger)
  }

  /** Cuts all of them. */
  cutAll(): void {
    for (const place of [...this.#places.values()]) this.#cut(place, 'nobody listens any more')
  }

  /** Whoever floods a listener has most of its places: so it is the flood that makes room, and not the one beside it. */
  #makeRoom(): void {
    const most = Math.max(...Array.from(this.#networks.values(), ({ size }) => size))
    const fullest = [...this.#networks.values()].filter(({ size }) => size === most)
    const [oldest] = fullest[Math.floor(Math.random() * fullest.length)] ?? []
    if (oldest !== undefined) this.#cut(oldest, 'too many had proved nothing, and of no address there were more')
  }

  #cut(place: Place, reason: string): void {
    this.#remove(place)
    place.cut(reason)
  }

  #remove(place: Place): void {
    place.late.stop()
    if (this.#places.get(place.name) === place) this.#places.delete(place.name)
    for (const networks of [this.#networks, this.#unheard]) {
      const others = networks.get(place.network)
      others?.delete(place)
      if (others?.size === 0) networks.delete(place.network)
    }
  }
}

/** Undefined when the connection is over. */
function nameOf({ localAddress, remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${localAddress} ${remoteAddress} ${remotePort}`
}

/** Who is asked to make room together: an IPv4 address, or an IPv6 /64, all of whose addresses one host may have. */
export function networkOf(address: string): string {
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = address.includes('::') ? 8 - head.length - tail.length : 0
  return [...head, ...Array.from({ length: zeros }, () => '0'), ...tail].slice(0, 4).join(':')
}
