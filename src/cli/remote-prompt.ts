/** The remote side of `tendril repl`: what is typed goes there, what is printed comes back. Twin: repl_remote.py. */
import { type Gateway, ProtocolError } from '../index.js'

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

// What the far end sends is held against its form before anybody uses it, as all that a worker says (SECURITY.md).

function printedOf(item: unknown): [stream: number, text: Uint8Array] {
  const [stream, text] = membersOf(item)
  return typeof stream === 'number' && text instanceof Uint8Array ? [stream, text] : refuse('what was printed')
}

function outcomeOf(value: unknown): LineOutcome {
  const [state, code] = membersOf(value)
  const known = (['done', 'more', 'failed', 'exit'] as const).find((each) => each === state)
  return known !== undefined && typeof code === 'number' ? { state: known, code } : refuse('what came of a line')
}

function completionOf(value: unknown): [words: string[], replaced: string] {
  const [words, replaced] = membersOf(value)
  if (!Array.isArray(words) || typeof replaced !== 'string') return refuse('completions')
  return [words.filter((word) => typeof word === 'string'), replaced]
}

function countOf(value: unknown): number {
  return typeof value === 'number' ? value : refuse('a count')
}

function membersOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function refuse(what: string): never {
  throw new ProtocolError(`the worker sent ${what} in a form that is none`)
}

/** One gateway's. */
export class RemotePrompt {
  readonly #gateway: Gateway
  #shown = 0
  #onShown: () => void = () => undefined
  #isReady: Promise<unknown> = Promise.resolve()

  private constructor(gateway: Gateway) {
    this.#gateway = gateway
  }

  static async open(gateway: Gateway, { isOneScreen, colors, onOutput }: PromptOptions): Promise<RemotePrompt> {
    const prompt = new RemotePrompt(gateway)
    const output = gateway.ownChannel<unknown, number>()
    output.setCallback(async (item) => {
      const [stream, text] = printedOf(item)
      await onOutput(stream === 1 ? 'stdout' : 'stderr', text)
      prompt.#shown++
      prompt.#onShown()
      if (!output.isClosed) await output.send(prompt.#shown)
    })
    await prompt.#ask(['install', output, isOneScreen, colors])
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

  /** Forgets the lines of a statement that is not complete: no line that is pushed later goes with them. */
  reset(): Promise<void> {
    return this.#prepare('reset')
  }

  /** Interrupts the processes that what runs has started, which Python may be waiting for; none that a later line starts. */
  interruptChildren(): Promise<void> {
    return this.#prepare('interrupt')
  }

  /** Has something done before the next line. */
  #prepare(name: string): Promise<void> {
    const isDone = this.#ask<void>([name])
    this.#isReady = Promise.allSettled([this.#isReady, isDone]) // the end of the gateway is told elsewhere
    return isDone
  }

  /** What could stand at the end of a line, and what of that end it would replace. */
  async complete(line: string): Promise<[words: string[], replaced: string]> {
    return completionOf(await this.#ask(['complete', line], { timeout: 2000 }))
  }

  /** What is not the user's is done beside what is, whatever that is busy with. Each of these sends one item. */
  #ask<R>([name, ...args]: readonly [string, ...unknown[]], options: { timeout?: number } = {}): Promise<R> {
    return this.#gateway.aside<R>(import.meta.url, ['repl_remote', name], ...args).receive(options)
  }

  async #run(name: string, args: string[], signal: AbortSignal): Promise<LineOutcome> {
    const options = { signal, killAfter: Number.POSITIVE_INFINITY }
    let outcome: LineOutcome = { state: 'failed', code: 1 }
    await this.#isReady
    try {
      outcome = outcomeOf(await this.#gateway.call(`_tendril_repl.${name}`, args, {}, options))
    } catch (error) {
      if (error !== signal.reason) throw error
      await this.reset()
    }
    await this.#showUntil(countOf(await this.#ask(['settle'])))
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
