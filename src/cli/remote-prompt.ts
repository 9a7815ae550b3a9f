/** The remote side of `tendril repl`: what is typed goes there, what is printed comes back. Twin: repl_remote.py. */
import { readFileSync } from 'node:fs'
import type { Gateway } from '../index.js'

/** What came of a line: it was run, more must follow, it failed, or it was to leave with `code`. */
export interface LineOutcome {
  readonly state: 'done' | 'more' | 'failed' | 'exit'
  readonly code: number
}

/** How the far end is to print. */
export interface PromptOptions {
  /** Both streams in one, in order: for when both are shown in one place. */
  readonly isOneScreen: boolean
  readonly colors: boolean
  /** Called with what is printed, in order; a promise that it returns is awaited. */
  readonly onOutput: (stream: 'stdout' | 'stderr', text: Uint8Array) => void | Promise<void>
}

/** One gateway's. */
export class RemotePrompt {
  readonly #gateway: Gateway
  #shown = 0
  #onShown: () => void = () => undefined

  private constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  static async open(gateway: Gateway, { isOneScreen, colors, onOutput }: PromptOptions): Promise<RemotePrompt> {
    const prompt = new RemotePrompt(gateway)
    const output = gateway.newChannel<[stream: number, text: Uint8Array], number>()
    output.setCallback(async ([stream, text]) => {
      await onOutput(stream === 1 ? 'stdout' : 'stderr', text)
      prompt.#shown++
      prompt.#onShown()
      if (!output.isClosed) await output.send(prompt.#shown)
    })
    const text = readFileSync(new URL('./repl_remote.py', import.meta.url), 'utf8')
    // The name has tracebacks begin below it.
    const source = { text, name: '<tendril>/repl.py', function: 'install' }
    await gateway.remoteExec(source, { output, is_one: isOneScreen, colors }).waitClose()
    return prompt
  }

  /** Hands over a line, and resolves when what it made complete has run, and all it printed has been shown. Aborting interrupts. */
  async push(line: string, signal: AbortSignal): Promise<LineOutcome> {
    return this.#run('push', [line], signal)
  }

  /** As `push`, when no line follows. */
  async finish(signal: AbortSignal): Promise<LineOutcome> {
    return this.#run('finish', [], signal)
  }

  /** Forgets the lines of a statement that is not complete. */
  async reset(): Promise<void> {
    await this.#gateway.call('_tendril_repl.reset')
  }

  /** What could stand at the end of a line, and what of that end it would replace. */
  async complete(line: string): Promise<[words: string[], replaced: string]> {
    return this.#gateway.call(
      '_tendril_repl.complete',
      [line],
      {},
      { timeout: 2000, killAfter: Number.POSITIVE_INFINITY },
    )
  }

  async #run(name: string, args: string[], signal: AbortSignal): Promise<LineOutcome> {
    const options = { signal, killAfter: Number.POSITIVE_INFINITY }
    let outcome: LineOutcome = { state: 'failed', code: 1 }
    try {
      const [state, code] = await this.#gateway.call<[LineOutcome['state'], number]>(
        `_tendril_repl.${name}`,
        args,
        {},
        options,
      )
      outcome = { state, code }
    } catch (error) {
      if (error !== signal.reason) throw error
      await this.reset()
    }
    await this.#showUntil(await this.#gateway.call<number>('_tendril_repl.settle'))
    return outcome
  }

  #showUntil(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onShown = () => {
        if (this.#shown >= count) resolve()
      }
      this.#onShown()
      void this.#gateway.closed.then(() => resolve()) // what has not come then never will
    })
  }
}
