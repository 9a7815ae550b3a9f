/**
 * A program that may ask for a password before it starts what it is to start: sudo, su. Until then its stdin is for answers only,
 * so that nobody takes our bytes for one; what it starts says with a word of ours on stderr that it is there.
 */
import type { Connecting, Question } from './connecting.js'
import { withSignal } from './shell-status.js'
import type { Transport, TransportEnd, TransportEvents } from './transport.js'

/** What is known of such a program. */
export interface AskingProgram {
  /** A text that stands in nothing else, written to stderr by what it starts. */
  readonly marker: string
  /** The question that it waits for an answer to, from what it has said since the last answer; undefined when it is not waiting. */
  questionIn(said: string): Question | undefined
  /** What it means that nobody answered. */
  declined(question: Question): Error
  /** What it means that it ended without having started anything, from all it said but its questions; undefined when the end says it. */
  refused(end: TransportEnd, said: string): Error | undefined
  /** It has started what it was to start. */
  onStarted(): void
}

const WRITE_AHEAD_BYTES = 1024 * 1024

/** The far end of what such a program starts. */
export function openAsking(transport: Transport, program: AskingProgram, connecting: Connecting): Transport {
  return new AskingTransport(transport, program, connecting)
}

class AskingTransport implements Transport {
  readonly #transport: Transport
  readonly #program: AskingProgram
  readonly #connecting: Connecting
  #events: TransportEvents | undefined
  /** What was written before it was started; undefined since then. */
  #held: Uint8Array[] | undefined = []
  #heldBytes = 0
  #isInputOver = false
  /** What it said since the last answer, and before. */
  #unanswered = ''
  #said = ''
  /** Set while a person is asked, and when nothing more is to be. */
  #isClosed = false
  #fault: Error | undefined

  constructor(transport: Transport, program: AskingProgram, connecting: Connecting) {
    this.#transport = transport
    this.#program = program
    this.#connecting = connecting
  }

  get remoteAddress(): string | undefined {
    return this.#transport.remoteAddress
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#transport.start({
      onChunk: (chunk) => {
        if (this.#held === undefined) this.#events?.onChunk(chunk)
        else this.#said += latin1(chunk)
      },
      onStderr: (chunk) => (this.#held === undefined ? this.#events?.onStderr(chunk) : this.#listen(chunk)),
      onDrain: () => this.#held === undefined && this.#events?.onDrain(),
      onEnd: (end) => this.#end(end),
    })
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#held === undefined) return this.#transport.write(chunks)
    for (const chunk of chunks) this.#heldBytes += chunk.length
    this.#held.push(...chunks)
    return this.#heldBytes <= WRITE_AHEAD_BYTES
  }

  endInput(): void {
    if (this.#held === undefined) this.#transport.endInput()
    else this.#isInputOver = true
  }

  greeted(): void {
    this.#transport.greeted?.()
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#isClosed = true
    this.#transport.kill(signal)
  }

  keepAlive(isWanted: boolean): void {
    this.#transport.keepAlive(isWanted)
  }

  #listen(chunk: Uint8Array): void {
    this.#unanswered += latin1(chunk)
    const at = this.#unanswered.indexOf(this.#program.marker)
    if (at >= 0) this.#begin(Buffer.from(this.#unanswered.slice(at + this.#program.marker.length), 'latin1'))
    else if (!this.#isClosed) void this.#answer()
  }

  async #answer(): Promise<void> {
    const question = this.#program.questionIn(utf8(this.#unanswered))
    if (question === undefined) return
    this.#said += this.#unanswered.slice(0, this.#unanswered.lastIndexOf('\n') + 1)
    this.#unanswered = ''
    this.#isClosed = true
    const answer = await this.#connecting.ask(question)
    if (this.#events === undefined || this.#connecting.signal.aborted) return
    if (answer !== undefined) {
      this.#transport.write([Buffer.from(`${answer}\n`)])
      this.#isClosed = false
    } else {
      this.#fault = this.#program.declined(question)
      this.kill('SIGKILL')
    }
  }

  /** From now on this is a transport like any other. What came on stderr before was meant for a terminal. */
  #begin(rest: Uint8Array): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.#program.onStarted()
    if (rest.length > 0) this.#events?.onStderr(rest)
    if (this.#transport.write(held) && this.#heldBytes > WRITE_AHEAD_BYTES) this.#events?.onDrain()
    if (this.#isInputOver) this.#transport.endInput()
  }

  #end(end: TransportEnd): void {
    const events = this.#events
    if (events === undefined) return
    this.#events = undefined
    this.#isClosed = true
    if (this.#held === undefined) return events.onEnd(withSignal(end))
    const said = utf8(this.#said + this.#unanswered)
    events.onStderr(Buffer.from(said))
    events.onEnd({ ...end, error: this.#fault ?? this.#program.refused(end, said) ?? end.error })
  }
}

/** A byte a character: one that is cut by the end of a chunk is whole again when it is read. */
function latin1(chunk: Uint8Array): string {
  return Buffer.from(chunk).toString('latin1')
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}
