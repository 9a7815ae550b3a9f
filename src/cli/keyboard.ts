/** The lines that a person types, or that come by a pipe, and all that is shown around them. */
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { ReplHistory } from './repl-history.js'
import { unreadableInput } from './standard-input.js'

const ERASE_LINE = '\r\u001B[K'
const PROMPT_COLOR = ['\u001B[1;35m', '\u001B[0m'] as const
const INDENT = '    '

/** One for a process: it has the terminal, or the standard input that stands in its place. */
export class Keyboard {
  readonly isTerminal: boolean = process.stdin.isTTY && process.stdout.isTTY
  /** Whether to use colours: the terminal shows them, and no variable forbids it. */
  readonly colors: boolean = this.isTerminal && process.stdout.hasColors() && !process.env['NO_COLOR']
  /** Gives the words that a line could go on with, and the end of it that they replace. */
  complete: (line: string) => Promise<[words: string[], replaced: string]> = async () => [[], '']
  /** Rejects when no line can be read. */
  readonly unreadable: Promise<never>
  /** Ctrl-C. */
  onInterrupt: () => void = () => undefined
  readonly #history: ReplHistory | undefined = this.isTerminal ? new ReplHistory() : undefined
  readonly #readline: Interface
  readonly #lines: string[] = []
  #waiting: ((line: string | undefined) => void) | undefined
  #hasEnded = false
  #isAtMargin = true
  readonly #onSignal = (): void => this.onInterrupt()

  constructor() {
    this.#readline = createInterface({
      input: process.stdin,
      ...(this.isTerminal ? { output: process.stdout } : {}),
      terminal: this.isTerminal,
      history: this.#history?.lines ?? [],
      historySize: 1000,
      completer: (line: string, answer: (error: null, found: [string[], string]) => void) =>
        void this.#complete(line, answer),
    })
    this.#readline
      .on('line', (line) => this.#take(line))
      .on('close', () => this.#end())
      .on('SIGINT', this.#onSignal)
    this.unreadable = new Promise((_, reject) => {
      this.#readline.once('error', (error: Error) => reject(unreadableInput(error.message)))
    })
    this.unreadable.catch(() => undefined) // it may be so before anybody asks for a line
    process.on('SIGINT', this.#onSignal)
  }

  /** The next line; undefined when there are no more. */
  line(prompt: string): Promise<string | undefined> {
    const [next] = this.#lines.splice(0, 1)
    if (next !== undefined) {
      if (this.isTerminal) this.#write(`${this.#colored(prompt)}${next}\n`) // it was typed ahead
      return Promise.resolve(next)
    }
    if (this.#hasEnded) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#waiting = resolve
      if (this.isTerminal) this.restart(prompt)
    })
  }

  /** Forgets what is being typed, and asks anew. */
  restart(prompt: string): void {
    this.#readline.setPrompt(this.#colored(prompt))
    if (this.#readline.line !== '') for (const name of ['e', 'u']) this.#readline.write(null, { ctrl: true, name })
    if (!this.#isAtMargin) this.#write('\n')
    this.#readline.prompt()
  }

  /** Shows what was printed; what is being typed steps aside. */
  async show(stream: 'stdout' | 'stderr', text: Uint8Array): Promise<void> {
    const isAmidLine = this.isTerminal && this.#waiting !== undefined
    if (isAmidLine) process.stdout.write(ERASE_LINE)
    const hasRoom = process[stream].write(text)
    this.#isAtMargin = text.at(-1) === 10
    if (isAmidLine) {
      if (!this.#isAtMargin) this.#write('\n')
      this.#readline.prompt(true)
    }
    if (!hasRoom) await once(process[stream], 'drain')
  }

  /** Shows a line of our own. */
  print(line: string): void {
    if (this.isTerminal) this.#write(`${this.#isAtMargin && this.#waiting === undefined ? '' : '\n'}${line}\n`)
  }

  close(): void {
    process.off('SIGINT', this.#onSignal)
    this.#readline.close()
    if (!this.#isAtMargin && this.isTerminal) this.#write('\n')
  }

  #write(text: string): void {
    process.stdout.write(text)
    this.#isAtMargin = text.endsWith('\n')
  }

  #colored(prompt: string): string {
    return this.colors ? `${PROMPT_COLOR.join(prompt.trimEnd())} ` : prompt
  }

  #take(line: string): void {
    this.#history?.add(line)
    this.#isAtMargin = true
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#lines.push(line)
    else waiting(line)
  }

  #end(): void {
    this.#hasEnded = true
    if (this.#waiting !== undefined && this.isTerminal) this.#write('\n')
    this.#waiting?.(undefined)
    this.#waiting = undefined
  }

  async #complete(line: string, answer: (error: null, found: [string[], string]) => void): Promise<void> {
    if (line.trim() === '') return answer(null, [[`${line}${INDENT}`], line])
    try {
      answer(null, await this.complete(line))
    } catch {
      answer(null, [[], '']) // it took too long, or the worker has gone, which is told elsewhere
    }
  }
}
