/** What was typed at the prompt before: in a file of the user's own, under the folder that XDG has for such state. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

const MAX_LINES = 1000

/** The lines of earlier sessions, and the file that they are in. A file that cannot be read or written is done without. */
export class ReplHistory {
  readonly #file: string
  readonly #lines: string[]

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    this.#file = historyFile(environment)
    this.#lines = this.#read()
  }

  /** Newest first, as Node's readline has them. */
  get lines(): string[] {
    return [...this.#lines].reverse()
  }

  add(line: string): void {
    if (line.trim() === '' || line === this.#lines.at(-1)) return
    this.#lines.push(line)
    this.#try(() => appendFileSync(this.#file, `${line}\n`, { mode: 0o600 }))
  }

  #read(): string[] {
    let lines: string[] = []
    this.#try(() => {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 })
      appendFileSync(this.#file, '', { mode: 0o600 })
      chmodSync(this.#file, 0o600) // somebody else may have made it
      lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1)
      if (lines.length > 2 * MAX_LINES) writeFileSync(this.#file, `${lines.slice(-MAX_LINES).join('\n')}\n`)
    })
    return lines.slice(-MAX_LINES)
  }

  #try(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
    }
  }
}

function historyFile({ XDG_STATE_HOME: folder = '' }: NodeJS.ProcessEnv): string {
  const state = isAbsolute(folder) ? folder : join(homedir(), '.local', 'state')
  return join(state, 'tendril', 'repl_history')
}
