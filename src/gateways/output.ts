/**
 * What remote code prints, line by line and tagged, on its way to the user. The worker captures it (`Output` in
 * `bootstrap.py`); what a crash says last comes over the real stderr.
 */
import { TextDecoder } from 'node:util'

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
  process[stream].write(`[${gateway}] ${text}\n`)
}

// A line that never ends is given in parts: it must not be held in memory for ever.
const MAX_LINE_CHARACTERS = 64 * 1024
// Enough for a Python traceback, small enough to hold a gateway.
const TAIL_CHARACTERS = 4 * 1024

/** Cuts one gateway's output into lines, a stream and channel at a time, and keeps the end of its stderr. */
export class OutputLines {
  readonly #gateway: string
  readonly #onOutput: OnOutput
  readonly #open = new Map<
    string,
    { readonly decoder: TextDecoder; readonly channel: number; readonly stream: OutputLine['stream']; text: string }
  >()
  #held: OutputLine[] | undefined = []
  #tail = ''

  constructor(gateway: string, onOutput: OnOutput) {
    this.#gateway = gateway
    this.#onOutput = onOutput
  }

  /** The last of what came over stderr. */
  get stderrTail(): string {
    return this.#tail
  }

  feed(stream: OutputLine['stream'], channel: number, bytes: Uint8Array): void {
    const key = `${stream} ${channel}`
    let open = this.#open.get(key)
    if (open === undefined) {
      open = { decoder: new TextDecoder(), channel, stream, text: '' }
      this.#open.set(key, open)
    }
    const text = open.decoder.decode(bytes, { stream: true })
    if (stream === 'stderr') this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS)
    const lines = (open.text + text).split('\n')
    open.text = lines.pop() ?? ''
    for (const line of lines) this.#emit(stream, channel, line)
    if (open.text.length > MAX_LINE_CHARACTERS) {
      this.#emit(stream, channel, open.text)
      open.text = ''
    }
  }

  /** Gives the lines that have no end yet, because the code that printed them has ended: of one channel, or of all. */
  flush(channel?: number): void {
    for (const [key, open] of this.#open) {
      if (channel !== undefined && open.channel !== channel && open.channel !== 0) continue
      const text = open.text + open.decoder.decode()
      this.#open.delete(key)
      if (text !== '') this.#emit(open.stream, open.channel, text)
    }
  }

  /** Lets lines through. Before the worker has said hello they are held: of a start that fails they are in the error. */
  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const line of held) this.#onOutput(line)
  }

  #emit(stream: OutputLine['stream'], channel: number, text: string): void {
    const line: OutputLine = {
      gateway: this.#gateway,
      ...(channel === 0 ? {} : { channel }),
      stream,
      text: text.replace(/\r$/, ''),
    }
    if (this.#held === undefined) this.#onOutput(line)
    else this.#held.push(line)
  }
}
