/**
 * Questions that only a person can answer, asked on the terminal: one at a time, what is typed is not shown unless it may be.
 * Where there is no terminal, or standard input is none, they are declined: a script must not hang.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { isatty, ReadStream } from 'node:tty'
import type { Asking, Prompt, Question } from '../index.js'
import type { Screen } from './screen.js'

/** Makes a prompt that keeps a screen off the terminal while it asks. */
export function terminalPrompt(screen: Screen): Prompt {
  let turn: Promise<unknown> = Promise.resolve()
  const passphrases = new Passphrases()
  // Gateways that share a connection ask the same after each other: who has declined once has declined for all.
  const declined = new Set<string>()
  return (question, asking) => {
    const key = JSON.stringify(question)
    const answer = turn.then(async () => {
      if (asking.signal.aborted || declined.has(key) || !isatty(0)) return undefined
      const known = passphrases.get(question, asking)
      if (known !== undefined) return known
      const typed = await ask(question, asking, screen)
      if (typed !== undefined) passphrases.keep(question, asking, typed)
      else if (!asking.signal.aborted) declined.add(key)
      return typed
    })
    turn = answer.catch(() => undefined)
    return answer
  }
}

/** A key is opened once for all the hosts that it is for. */
class Passphrases {
  readonly #known = new Map<string, { readonly answer: string; readonly askers: Set<string> }>()

  /** Undefined also for who has had the answer: it was wrong. */
  get({ kind, from }: Question, { gateway }: Asking): string | undefined {
    const known = kind === 'passphrase' ? this.#known.get(from) : undefined
    if (known === undefined || known.askers.has(gateway)) return undefined
    known.askers.add(gateway)
    return known.answer
  }

  keep({ kind, from }: Question, { gateway }: Asking, answer: string): void {
    if (kind === 'passphrase') this.#known.set(from, { answer, askers: new Set([gateway]) })
  }
}

async function ask(question: Question, { signal }: Asking, screen: Screen): Promise<string | undefined> {
  const terminal = openTerminal()
  if (terminal === undefined) return undefined
  const resume = screen.stepAside()
  try {
    terminal.write(`${lineOf(question)}: `)
    return await readLine(terminal, { echo: question.echo, signal })
  } finally {
    terminal.write('\r\n')
    terminal.close()
    resume()
  }
}

/** One line, without what could move the cursor: servers choose some of these words. */
function lineOf({ from, text }: Question): string {
  const line = text.includes(from) ? text : `${from}: ${text}`
  return line.replace(/\p{Cc}+/gu, ' ')
}

interface Terminal {
  readonly input: ReadStream
  write(text: string): void
  close(): void
}

function openTerminal(): Terminal | undefined {
  const [inputPath, outputPath] = process.platform === 'win32' ? ['CONIN$', 'CONOUT$'] : ['/dev/tty', '/dev/tty']
  let output: number | undefined
  try {
    const fd = openSync(outputPath, 'r+')
    output = fd
    const input = new ReadStream(openSync(inputPath, 'r+'))
    // Without raw mode the terminal would show what is typed; in it, the keys that edit a line are for us to act on.
    input.setRawMode(true)
    input.setEncoding('utf8')
    const close = (): void => {
      input.setRawMode(false)
      input.destroy()
      closeSync(fd)
    }
    return { input, write: (text) => void writeSync(fd, text), close }
  } catch {
    if (output !== undefined) closeSync(output)
    return undefined // no process group of a terminal is ours: nobody is there to ask
  }
}

const ENTER = /[\r\n]/
const INTERRUPT = '\u0003'
const END_OF_INPUT = '\u0004'
const ERASE = new Set(['\u007F', '\b'])
const ERASE_ALL = '\u0015'
// The keys that are no characters, such as arrows.
const escapeSequence = /\p{Cc}(?:\[[\d;]*[A-Za-z~]|O[A-Z])/gu

/** What is typed up to Enter; undefined when that is Ctrl-D alone, or the answer is of no more use. */
function readLine(
  { input, write }: Terminal,
  { echo, signal }: { readonly echo: boolean; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const typed: string[] = []
  return new Promise((resolve) => {
    const finish = (answer: string | undefined): void => {
      signal.removeEventListener('abort', decline)
      resolve(answer)
    }
    const decline = (): void => finish(undefined)
    const erase = (count: number): void => {
      const erased = typed.splice(typed.length - Math.min(count, typed.length))
      if (echo) write('\b \b'.repeat(erased.length))
    }
    const onKey = (key: string): void => {
      if (key === INTERRUPT) {
        decline()
        setImmediate(() => process.kill(process.pid, 'SIGINT')) // once the terminal is as it was
      } else if (key === END_OF_INPUT) finish(typed.length === 0 ? undefined : typed.join(''))
      else if (ENTER.test(key)) finish(typed.join(''))
      else if (ERASE.has(key)) erase(1)
      else if (key === ERASE_ALL) erase(typed.length)
      else if (!/\p{Cc}/u.test(key)) {
        typed.push(key)
        if (echo) write(key)
      }
    }
    input.on('data', (text: string) => {
      for (const key of text.replace(escapeSequence, '')) onKey(key)
    })
    input.once('error', decline).once('end', decline)
    signal.addEventListener('abort', decline)
  })
}
