/**
 * Failures of remote code that nobody has been told. Each is reported once: when its channel is collected as garbage, when the gateway
 * ends, or with the program. What is kept of one is no more than what its channel keeps.
 */
import type { RemoteFailure } from '../errors.js'

/** The failure that a channel ended with. */
export interface ChannelFailure {
  readonly channel: number
  readonly failure: RemoteFailure
}

/** Those of one gateway. */
export class UntoldFailures {
  readonly #report: (failure: ChannelFailure) => void
  readonly #untold = new Set<ChannelFailure>()
  readonly #channels = new FinalizationRegistry<ChannelFailure>((failure) => this.#reportOne(failure))

  constructor(report: (failure: ChannelFailure) => void) {
    this.#report = report
  }

  /**
   * Somebody has to be told of this, or it is reported.
   *
   * @param holder - Who can be asked for it: once it is garbage, nobody will ask.
   * @returns Is to be called when somebody was told.
   */
  watch(holder: object, failure: ChannelFailure): () => void {
    if (!isNews(failure.failure)) return () => undefined
    this.#untold.add(failure)
    this.#channels.register(holder, failure, failure)
    watched.add(this)
    return () => this.#forget(failure)
  }

  /** Nobody can be told any more. */
  reportAll(): void {
    for (const failure of this.#untold) this.#reportOne(failure)
  }

  #reportOne(failure: ChannelFailure): void {
    if (this.#forget(failure)) this.#report(failure)
  }

  #forget(failure: ChannelFailure): boolean {
    this.#channels.unregister(failure)
    const wasUntold = this.#untold.delete(failure)
    if (this.#untold.size === 0) watched.delete(this)
    return wasUntold
  }
}

/** Those that have something to report when the program ends. */
const watched = new Set<UntoldFailures>()
process.on('exit', () => {
  for (const failures of watched) failures.reportAll()
})

/** What a user prints of it. */
export function untoldText({ channel, failure }: ChannelFailure): string {
  return `channel ${channel} failed, and nobody has asked how it ended:\n${failure.traceback.trimEnd()}`
}

/** An interrupt was ours or the user's, and code that exits without an error has not failed. */
function isNews(failure: RemoteFailure): boolean {
  return !isPythons(failure) || !(failure.isPeacefulExit || isInterrupt(failure))
}

/** Whether it is that code was interrupted. */
export function isInterrupt(failure: RemoteFailure): boolean {
  return failure.type === 'KeyboardInterrupt' && isPythons(failure)
}

function isPythons({ module }: RemoteFailure): boolean {
  return module === 'builtins' || module === 'exceptions'
}
