/** What remote code sends and how it ends, on the screen: every line is tagged, as those of several gateways come between each other. */
import { inspect } from 'node:util'
import { type Channel, RemoteError } from '../index.js'
import { exitCodeOf, isConnectFailure } from './exit-codes.js'
import type { Screen } from './screen.js'

/** Tells of channels. */
export class Report {
  readonly #screen: Screen
  readonly #interruption: AbortSignal

  /** @param interruption - Aborted when the command has been interrupted: what fails then is no news. */
  constructor(screen: Screen, interruption: AbortSignal) {
    this.#screen = screen
    this.#interruption = interruption
  }

  item(channel: Channel, item: unknown): void {
    const text = typeof item === 'string' ? item : inspect(item, { depth: null, breakLength: 120 })
    this.#print('stdout', channel, text)
  }

  /** Waits for the end of a channel; resolves to the exit code that it stands for. */
  async end(channel: Channel): Promise<number> {
    try {
      await channel.waitClose()
      return 0
    } catch (error) {
      if (this.#interruption.aborted || isConnectFailure(error)) return exitCodeOf(error)
      const text =
        error instanceof RemoteError
          ? error.traceback.trimEnd()
          : error instanceof Error
            ? error.message
            : String(error)
      this.#print('stderr', channel, text)
      return exitCodeOf(error)
    }
  }

  #print(stream: 'stdout' | 'stderr', channel: Channel, text: string): void {
    for (const line of text.split('\n')) this.#screen.print(stream, `[${channel.gateway.id}] ${line}`)
  }
}
