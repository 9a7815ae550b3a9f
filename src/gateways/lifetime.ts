/**
 * Where a gateway stands: on its way, ready, ended; and the errors that everybody who waits gets. A gateway is told of
 * its worker's first word and of its transport's end, and puts both here.
 */
import { settled } from '../channels/settled.js'
import { ProtocolError } from '../errors.js'
import { PORTABLE_PROTOCOL } from '../protocol/codec.js'
import type { TransportEnd } from '../transports/transport.js'
import { closedError, type GatewayEnd, gatewayEnd, openingError, SetupFault } from './end.js'
import { type Hello, interpreterText, parseHello } from './hello.js'
import type { Opening } from './opening.js'

/** What a lifetime is made with. */
export interface LifetimeParts {
  /** The gateway's, for errors. */
  readonly name: string
  readonly tried: readonly string[]
  readonly opening: Opening
  /** What came before the worker's first word. */
  readonly noise: () => string
}

/** One gateway's. */
export class Lifetime {
  readonly #parts: LifetimeParts
  readonly #helloArrived = settled<void>()
  readonly #ending = settled<GatewayEnd>()
  #hello: Hello | undefined
  #fault: Error | undefined
  #end: GatewayEnd | undefined
  #wasAsked = false

  constructor(parts: LifetimeParts) {
    this.#parts = parts
  }

  /** Resolves when the gateway has ended. Never rejects. */
  get closed(): Promise<GatewayEnd> {
    return this.#ending.promise
  }

  get isReceiving(): boolean {
    return this.#hello !== undefined && this.#end === undefined
  }

  /** The link is of no more use, whether or not its far end has gone. */
  get hasFault(): boolean {
    return this.#fault !== undefined
  }

  /** The highest pickle protocol that the worker is known to read. */
  get pickle(): number {
    return this.#hello?.pickle ?? PORTABLE_PROTOCOL
  }

  /** Resolves when the worker is there; rejects when the gateway has ended before. */
  async ready(): Promise<void> {
    await Promise.race([this.#helloArrived.promise, this.closed])
    if (this.#wasReady && this.#end === undefined) return
    await this.closed
    throw this.endError()
  }

  /**
   * The worker's first word has come.
   *
   * @returns What it said, unless that was that it cannot be what the spec asks for.
   * @throws {@link ProtocolError} when it is not the first, or no hello.
   */
  greet(payload: Uint8Array): Hello | undefined {
    if (this.#hello !== undefined) throw new ProtocolError('the worker said hello twice')
    const hello = parseHello(payload)
    this.#hello = hello
    if (hello.error !== undefined) this.#fault ??= new SetupFault(hello.error)
    else this.#parts.opening.arrive(interpreterText(hello))
    this.#helloArrived.settle()
    return hello.error === undefined ? hello : undefined
  }

  /** Whether we have asked the worker to leave. */
  get wasAsked(): boolean {
    return this.#wasAsked
  }

  /** We have asked the worker to leave. @returns Whether the worker has not started yet, so that nobody will obey. */
  ask(): boolean {
    this.#wasAsked = true
    return !this.#parts.opening.hasStarted
  }

  /**
   * What to tell of a failure of code there: once the worker was asked to leave that is the gateway's end, whatever the code made of it,
   * and it is known when the worker has left.
   */
  async explain(failure: Error): Promise<Error> {
    if (!this.#wasAsked) return failure
    await this.closed
    return closedError(this.#parts.name, this.#end ?? { reason: 'lost', stderrTail: '' }, failure)
  }

  /** What broke; only the first such thing counts. */
  fail(fault: Error): void {
    this.#fault ??= fault
  }

  /** The far end has gone. */
  end(end: TransportEnd, stderrTail: string): void {
    const { name, opening } = this.#parts
    this.#end = gatewayEnd(name, end, {
      wasReady: this.#wasReady,
      wasAsked: this.#wasAsked,
      wasGivenUp: opening.signal.aborted,
      stderrTail,
      fault: this.#fault,
    })
    if (this.#end.error !== undefined) this.#fault ??= end.error
    opening.end(() => this.endError())
    this.#ending.settle(this.#end)
  }

  /** The error for whoever waits on a gateway that has ended; a fresh one each time. @param cause - What that has made of their code. */
  endError(cause?: Error): Error {
    const { name, tried, noise, opening } = this.#parts
    const end = this.#end ?? { reason: 'lost', stderrTail: '' }
    const wasOurDoing = this.#wasAsked && end.error === undefined
    if (this.#wasReady || wasOurDoing) return closedError(name, end, cause)
    return openingError(name, end, { tried, noise: noise(), phase: opening.phase, fault: this.#fault })
  }

  /** @throws What `endError` gives, once the gateway has ended. */
  checkOpen(): void {
    if (this.#end !== undefined) throw this.endError()
  }

  get #wasReady(): boolean {
    return this.#hello !== undefined && this.#hello.error === undefined
  }
}
