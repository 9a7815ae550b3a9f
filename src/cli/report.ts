/** What remote code sends and how it ends, on the screen: every line is tagged, as those of several gateways come between each other. */
import { type InspectOptions, inspect } from 'node:util'
import { type Channel, RemoteError } from '../index.js'
import { exitCodeOf, isOpeningFailure } from './exit-codes.js'
import { jsonOf } from './json.js'
import type { Screen } from './screen.js'

/** Node would leave out what is beyond 100 members, or 10,000 characters. */
const whole: InspectOptions = { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: 120 }

/** How lines look. */
export interface ReportStyle {
  readonly json: boolean
  readonly tag: boolean
}

/** Tells of channels. */
export class Report {
  readonly #screen: Screen
  readonly #interruption: AbortSignal
  readonly #style: ReportStyle

  /** @param interruption - Aborted when the command has been interrupted: what fails then is no news. */
  constructor(screen: Screen, interruption: AbortSignal, style: ReportStyle = { json: false, tag: true }) {
    this.#screen = screen
    this.#interruption = interruption
    this.#style = style
  }

  /** A line, with the name of the gateway that it is of. */
  print(stream: 'stdout' | 'stderr', gateway: string, line: string): void {
    this.#screen.print(stream, this.#style.tag ? `[${gateway}] ${line}` : line)
  }

  item(channel: Channel, item: unknown): void {
    if (this.#style.json) {
      this.#screen.print('stdout', jsonOf({ gateway: channel.gateway.id, item }))
      return
    }
    const text = typeof item === 'string' ? item : inspect(item, whole)
    this.#print('stdout', channel, text)
  }

  /** Waits for the end of a channel; resolves to the exit code that it stands for. */
  async end(channel: Channel): Promise<number> {
    try {
      await channel.waitClose()
      return 0
    } catch (error) {
      if (this.#interruption.aborted || isOpeningFailure(error)) return exitCodeOf(error)
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
    for (const line of text.split('\n')) this.print(stream, channel.gateway.id, line)
  }
}
