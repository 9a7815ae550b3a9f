/**
 * What remote code prints, line by line and tagged, on its way to the user. The worker captures it (`Output` in
 * `bootstrap.py`); what a crash says last comes over the real stderr.
 */
import { TextDecoder } from 'node:util'
import { queueMicrotask } from '../timer.js'
import { watch } from './watching.js'

/** A line that a gateway printed. */
export interface OutputLine {
  /** The id of the gateway. */
  readonly gateway: string
  /** The number of the channel whose code printed it, when only one was running. */
  readonly channel?: number
  readonly stream: 'stdout' | 'stderr'
  /** The line without its end. */
  readonly text: string
}

/** Takes the lines; the default writes `[gw0] text` to this process's own stdout or stderr. */
export type OnOutput = (line: OutputLine) => void

/** Writes a line where a local print would have gone, tagged with its gateway. */
export function printOutput({ gateway, stream, text }: OutputLine): void {
  if (waiting !== undefined && waiting.stream !== stream) printWaiting()
  const line = `[${gateway}] ${text}\n`
  if (waiting !== undefined) waiting.text += line
  else {
    waiting = { stream, text: line }
    queueMicrotask(printWaiting)
  }
  if (waiting.text.length > MAX_WAITING_CHARACTERS) printWaiting()
}

// A write for each line takes longer than all else that is done for it: lines that come at once are written at once.
let waiting: { readonly stream: OutputLine['stream']; text: string } | undefined
const MAX_WAITING_CHARACTERS = 64 * 1024

function printWaiting(): void {
  if (waiting === undefined) return
  const { stream, text } = waiting
  waiting = undefined
  print(stream, text)
}

process.on('exit', printWaiting)

/** Writes a line to a stream of this process. */
export function printLine(stream: OutputLine['stream'], line: string): void {
  printWaiting()
  print(stream, `${line}\n`)
}

function print(stream: OutputLine['stream'], text: string): void {
  const target = process[stream]
  // As console.log has it: that nobody reads there any more, or that a disk is full, is no reason to end. What a write fails with
  // is emitted behind its callback, when nothing else need listen.
  target.once('error', ignore)
  try {
    target.write(text, (error) => {
      if (error != null && target.listenerCount('error') === 0) target.once('error', ignore)
    })
  } catch {
    // it is closed
  } finally {
    target.removeListener('error', ignore)
  }
}

function ignore(): void {}

// A line that never ends is given in parts: it must not be held in memory for ever.
const MAX_LINE_CHARACTERS = 64 * 1024
// Of what is printed before the worker is there, in characters: a start that fails tells its end.
const MAX_HELD_CHARACTERS = 1024 * 1024
// What holding a line costs beside its characters.
const LINE_OVERHEAD = 64
// Enough for a Python traceback, small enough to hold a gateway.
const TAIL_CHARACTERS = 4 * 1024

/** A line that has no end yet, with the channel of its beginning. */
interface OpenLine {
  readonly decoder: TextDecoder
  channel: number
  text: string
}

/** Cuts one gateway's output into lines, a stream at a time, and keeps the end of its stderr. */
export class OutputLines {
  readonly #gateway: string
  readonly #onOutput: OnOutput
  readonly #hide: (said: string) => string
  readonly #open = new Map<OutputLine['stream'], OpenLine>()
  #held: OutputLine[] | undefined = []
  #heldCharacters = 0
  #leftOut = 0
  #tail = ''

  /** @param hide - Takes out of what was said on the way to the worker what nobody is to read. */
  constructor(gateway: string, onOutput: OnOutput, hide: (said: string) => string = (said) => said) {
    this.#gateway = gateway
    this.#onOutput = onOutput
    this.#hide = hide
  }

  /** The last of what came over stderr. */
  get stderrTail(): string {
    return this.#hide(this.#tail).slice(-TAIL_CHARACTERS)
  }

  feed(stream: OutputLine['stream'], channel: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const open = this.#open.get(stream) ?? { decoder: new TextDecoder('utf-8', { ignoreBOM: true }), channel, text: '' }
    this.#open.set(stream, open)
    const text = open.decoder.decode(bytes, { stream: true })
    if (stream === 'stderr') this.#tail = (this.#tail + text).slice(-this.#keptCharacters)
    if (this.#heldCharacters > MAX_HELD_CHARACTERS) {
      this.#leftOut += bytes.length // it is not even cut into lines: there may be no end of it
      return
    }
    const [first = '', ...rest] = text.split('\n')
    // Another task may have begun or ended since the line began: that does not cut it.
    if (open.text === '') open.channel = channel
    open.text += first
    for (const next of rest) {
      this.#emit(stream, open.channel, open.text)
      open.channel = channel
      open.text = next
    }
    if (open.text.length > MAX_LINE_CHARACTERS) {
      this.#emit(stream, open.channel, open.text)
      open.text = ''
    }
  }

  /** Gives the lines that have no end yet, because the code that printed them has ended: of one channel, or of all. */
  flush(channel?: number): void {
    for (const [stream, open] of this.#open) {
      if (channel !== undefined && open.channel !== channel && open.channel !== 0) continue
      const text = open.text + open.decoder.decode()
      this.#open.delete(stream)
      if (text !== '') this.#emit(stream, open.channel, text)
    }
  }

  /** Gives lines of our own, as if the code of a channel had printed them to its stderr. */
  say(channel: number, text: string): void {
    for (const line of text.split('\n')) this.#emit('stderr', channel, line)
  }

  /** Lets lines through. Before the worker has said hello they are held: of a start that fails they are in the error. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.#heldCharacters = 0
    for (const line of held) this.#give({ ...line, text: this.#hide(line.text) })
    if (this.#leftOut > 0) this.say(0, `[tendril: ${this.#leftOut} bytes are missing]`)
  }

  /** On the way to the worker all that something to be hidden may have: what is cut off at its beginning is not known again. */
  get #keptCharacters(): number {
    return TAIL_CHARACTERS + (this.#held === undefined ? 0 : MAX_LINE_CHARACTERS)
  }

  #emit(stream: OutputLine['stream'], channel: number, text: string): void {
    const line: OutputLine = {
      gateway: this.#gateway,
      ...(channel === 0 ? {} : { channel }),
      stream,
      text: text.replace(/\r$/, ''),
    }
    if (this.#held === undefined) this.#give(line)
    else {
      this.#heldCharacters += line.text.length + LINE_OVERHEAD
      this.#held.push(line)
    }
  }

  #give(line: OutputLine): void {
    watch(this.#onOutput, line)
  }
}
