/**
 * All that a command prints goes through here, so that the one line that is redrawn on a terminal steps aside for what
 * stays, and everything steps aside for a question.
 */

// A command that is done by then shows no line: it would only flicker.
const FIRST_DRAW_MS = 250
const REDRAW_MS = 100
// What is held back while somebody types; beyond that it is printed all the same.
const MAX_HELD_LINES = 1000

const ESCAPE = '\u001B'
const ERASE_LINE = `\r${ESCAPE}[K`

/** The terminal of this process, or whatever stands in its place. */
export class Screen {
  readonly #isRaw: boolean
  readonly #isLive = process.stderr.isTTY
  #status = ''
  #isDrawn = false
  #timer: NodeJS.Timeout | undefined
  #questions = 0
  #held: (readonly ['stdout' | 'stderr', string])[] = []

  /** @param options.raw - Has a terminal do what workers say: lines that they print may look like those of others then. */
  constructor({ raw = false }: { readonly raw?: boolean } = {}) {
    this.#isRaw = raw
  }

  /** Prints a line that stays. */
  print(stream: 'stdout' | 'stderr', line: string): void {
    if (this.#questions > 0 && process[stream].isTTY && this.#held.length < MAX_HELD_LINES) {
      this.#held.push([stream, line])
      return
    }
    this.#erase()
    process[stream].write(`${this.#isRaw || !process[stream].isTTY ? line : harmless(line)}\n`)
    this.#schedule(REDRAW_MS)
  }

  /** Shows a line on the terminal's last row, until the next one; an empty one shows nothing. Does nothing where stderr is no terminal. */
  setStatus(line: string): void {
    const isFirst = this.#status === ''
    this.#status = line
    if (line === '') this.#erase()
    else this.#schedule(isFirst ? FIRST_DRAW_MS : REDRAW_MS)
  }

  /** Keeps everything off the terminal until the function that is returned is called. */
  stepAside(): () => void {
    this.#erase()
    this.#questions++
    return () => {
      if (--this.#questions > 0) return
      for (const [stream, line] of this.#held.splice(0)) this.print(stream, line)
      this.#schedule(REDRAW_MS)
    }
  }

  #schedule(delayMs: number): void {
    if (!this.#isLive || this.#status === '') return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#draw()
    }, delayMs).unref()
  }

  #draw(): void {
    if (this.#status === '' || this.#questions > 0) return
    // The last column stays free: a terminal may go on to the next row when it is written.
    const line = this.#status.slice(0, (process.stderr.columns || 80) - 1)
    process.stderr.write(`${ERASE_LINE}${line}`)
    this.#isDrawn = true
  }

  #erase(): void {
    if (this.#isDrawn) process.stderr.write(ERASE_LINE)
    this.#isDrawn = false
  }
}

/** Without what moves the cursor or erases; colors stay, and end with their line. */
function harmless(line: string): string {
  let isColored = false
  const shown = withoutReturns(line).replace(/(\p{Cc})(\[[\d;]*m)?/gu, (found, control: string, color = '') => {
    if (control === '\t' || control === '\n') return found
    if (control === ESCAPE && color !== '') {
      isColored = true
      return found
    }
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}${color}`
  })
  return isColored ? `${shown}${ESCAPE}[0m` : shown
}

/** Without those at its end. An expression would look at each of many that are not there again and again. */
function withoutReturns(line: string): string {
  let end = line.length
  while (line[end - 1] === '\r') end--
  return line.slice(0, end)
}
