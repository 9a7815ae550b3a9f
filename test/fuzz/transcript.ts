/** What a controller and a real worker said to each other, and a transport that says the worker's part again. */
import { popen } from '../../src/gateways/kinds/popen.js'
import type { Transport, TransportEnd, TransportEvents } from '../../src/transports/transport.js'

/** A chunk of the worker's, and how many bytes the controller had written when it came. */
export interface Said {
  readonly after: number
  readonly bytes: Uint8Array
}

/** One gateway's. */
export interface Transcript {
  readonly said: Said[]
  /** What the controller wrote. */
  readonly written: Uint8Array[]
  /** The markers that the controller chose, in their order: of the gateway, and of those that it carries. */
  readonly markers: string[]
}

type Open = typeof popen.open

/** Has gateways of the kind `popen` opened by `open` until the function returned is called. Those beside a carrier are as they are. */
function replaceOpen(open: (original: Open) => Open): () => void {
  const original = popen.open
  const ours = open(original)
  Object.assign(popen, {
    open: ((spec, context) => (context.origin.carrier === undefined ? ours : original)(spec, context)) satisfies Open,
  })
  return () => void Object.assign(popen, { open: original })
}

/** Records what is said on the gateway that is opened next. */
export function record(): { readonly transcript: Transcript; stop(): void } {
  const transcript: Transcript = { said: [], written: [], markers: [] }
  const stop = replaceOpen((original) => (spec, context) => {
    const opened = original(spec, context)
    return { ...opened, transport: recorded(opened.transport, transcript) }
  })
  return { transcript, stop }
}

function recorded(transport: Transport, transcript: Transcript): Transport {
  let written = 0
  return {
    remoteAddress: undefined,
    start: (events) =>
      transport.start({
        ...{ onStderr: (chunk) => events.onStderr(chunk), onDrain: () => events.onDrain() },
        onEnd: (end) => events.onEnd(end),
        onChunk: (chunk) => {
          transcript.said.push({ after: written, bytes: chunk.slice() })
          events.onChunk(chunk)
        },
      }),
    write: (chunks) => {
      for (const chunk of chunks) {
        written += chunk.length
        transcript.written.push(chunk.slice())
        transcript.markers.push(...markersIn(chunk))
      }
      return transport.write(chunks)
    },
    endInput: () => transport.endInput(),
    kill: (signal) => transport.kill(signal),
    keepAlive: (isWanted) => transport.keepAlive(isWanted),
  }
}

/** A stage says `m.start('MARKER',e)`. */
function markersIn(chunk: Uint8Array): string[] {
  return Array.from(
    Buffer.from(chunk)
      .toString('latin1')
      .matchAll(/m\.start\('([0-9a-f]{32})'/g),
    ([, marker]) => marker ?? '',
  )
}

// Turns of the event loop in which a controller that has anything to write has done so.
const IDLE_TURNS = 4
// Of a chunk that may have been too long, if this process had a processor meanwhile.
const LONG_MS = 50
let lastUsage = process.cpuUsage()
let lastLook = performance.now()

/** What a worker says, if it says this. The markers of the recording are those of the controller that listens. */
export class Replay implements Transport {
  readonly remoteAddress: undefined
  readonly #said: readonly Said[]
  readonly #recorded: readonly string[]
  readonly #markers: string[] = []
  /** The longest that acting upon a chunk took, in milliseconds of this process's time. */
  longest = 0
  #events: TransportEvents | undefined
  #written = 0
  #idle = 0
  #at = 0
  #isOver = false

  constructor(said: readonly Said[], recorded: readonly string[]) {
    this.#said = said
    this.#recorded = recorded
  }

  start(events: TransportEvents): void {
    this.#events = events
    setImmediate(() => this.#goOn())
  }

  write(chunks: readonly Uint8Array[]): boolean {
    this.#idle = 0
    for (const chunk of chunks) {
      this.#written += chunk.length
      if (this.#markers.length < this.#recorded.length) this.#markers.push(...markersIn(chunk))
    }
    return true
  }

  endInput(): void {
    this.#idle = IDLE_TURNS
  }

  kill(): void {
    setImmediate(() => this.#end({ signal: 'SIGKILL' }))
  }

  keepAlive(): void {}

  #goOn(): void {
    if (this.#isOver) return
    const next = this.#said[this.#at]
    if (this.#idle++ >= IDLE_TURNS || (next !== undefined && this.#written >= next.after)) {
      if (next === undefined) return this.#end({ exitCode: 0 })
      this.#at++
      this.#idle = 0
      this.#feed(this.#translated(next.bytes))
    }
    setImmediate(() => this.#goOn())
  }

  /** The time of the process is asked for only where it was long: that takes longer than most chunks. */
  #feed(bytes: Uint8Array): void {
    const begin = performance.now()
    if (begin - lastLook > LONG_MS) {
      lastUsage = process.cpuUsage()
      lastLook = begin
    }
    this.#events?.onChunk(bytes)
    const took = performance.now() - begin
    if (took < LONG_MS) return
    const { user, system } = process.cpuUsage(lastUsage)
    this.longest = Math.max(this.longest, Math.min(took, (user + system) / 1000))
  }

  #translated(bytes: Uint8Array): Uint8Array {
    let text: string | undefined
    this.#recorded.forEach((old, at) => {
      const now = this.#markers[at]
      if (now !== undefined && Buffer.from(bytes).includes(old)) {
        text = (text ?? Buffer.from(bytes).toString('latin1')).replaceAll(old, now)
      }
    })
    return text === undefined ? bytes : new Uint8Array(Buffer.from(text, 'latin1'))
  }

  #end(end: TransportEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#events?.onEnd(end)
  }
}

/** Has the gateway that is opened next, and no other, hear a replay. */
export function replay(transport: Replay): () => void {
  return replaceOpen(() => () => ({ transport, tried: ['a replay'] }))
}
