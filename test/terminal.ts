/** A program on a terminal of its own, as a person has it: what it shows can be waited for, and answered by typing. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { anyInterpreter } from './interpreters.js'

const onATerminal = fileURLToPath(new URL('fixtures/on_a_terminal.py', import.meta.url))

export class Terminal {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<unknown[]>
  #shown = ''
  #seen = 0

  constructor(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(anyInterpreter().command, [onATerminal, ...argv], { env: { ...process.env, ...env } })
    this.#ended = once(this.#child, 'close')
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#shown += text
    })
  }

  /** All that was shown until now. */
  get shown(): string {
    return this.#shown
  }

  /** Waits until the program has shown something that matches, behind what was waited for before. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    while (true) {
      const match = pattern.exec(this.#shown.slice(this.#seen))
      if (match !== null) {
        this.#seen += match.index + match[0].length
        return match
      }
      const more = await Promise.race([once(this.#child.stdout, 'data'), this.#ended.then(() => undefined)])
      if (more === undefined && !pattern.test(this.#shown.slice(this.#seen)))
        throw new Error(`it ended without showing ${pattern}: ${JSON.stringify(this.#shown)}`)
    }
  }

  type(text: string): void {
    this.#child.stdin.write(text)
  }

  /** The exit code of the program; 128 and the signal when one ended it. */
  async exitCode(): Promise<number> {
    const [code] = await this.#ended
    return Number(code)
  }
}
