/** One session of a connection as a transport: stdin, stdout and stderr of the interpreter that the host's login shell started. */
import type { ClientChannel } from 'ssh2'
import { BootstrapError } from '../../../errors.js'
import { Timer } from '../../../timer.js'
import { ConnectFault } from '../../../transports/connecting.js'
import { readPaced } from '../../../transports/pace.js'
import { type Transport, type TransportEvents, Unconfirmed } from '../../../transports/transport.js'

/** What a session asks of its connection. */
export interface SessionOwner {
  readonly address: string
  /** Says whether this session keeps the process alive. */
  keepAliveFor(session: object, isWanted: boolean): void
  /** Why the connection ended, if it has. */
  readonly fault: Error | undefined
}

// What a host that is there takes to confirm an end; one that is not would be waited for until the keepalive gives it up.
const CONFIRM_MS = 1000

/** A session whose command has been asked for. */
export class Ssh2Session implements Transport {
  readonly remoteAddress: string
  readonly #channel: ClientChannel
  readonly #owner: SessionOwner
  #events: TransportEvents | undefined
  #exitCode: number | undefined
  #signal: string | undefined
  #refusal: Error | undefined
  #confirmation: Timer | undefined
  #hasClosed = false
  #hasEnded = false

  constructor(channel: ClientChannel, owner: SessionOwner) {
    this.#channel = channel
    this.#owner = owner
    this.remoteAddress = owner.address
    // For good: an error that nobody listens to ends the process.
    for (const stream of [channel, channel.stderr]) stream.on('error', () => undefined)
    channel.on('exit', (code: number | null, signal?: string) => {
      this.#exitCode = code ?? undefined
      this.#signal = signal
    })
    channel.on('close', () => {
      this.#hasClosed = true
      this.#end()
    })
    owner.keepAliveFor(this, true)
  }

  /** The host will not run the command. */
  refuse(): void {
    const message = `${this.remoteAddress} opened a session, but runs no command in it. Check that the account may do more than transfer files, and ForceCommand of that host`
    this.#refusal = new ConnectFault('channel', message, (full) => new BootstrapError(full, { phase: 'channel' }))
    this.#channel.close()
    this.#hasClosed = true
    this.#end()
  }

  start(events: TransportEvents): void {
    this.#events = events
    readPaced(this.#channel, (chunk) => events.onChunk(chunk))
    this.#channel.stderr.on('data', (chunk: Uint8Array) => events.onStderr(chunk))
    this.#channel.on('drain', () => events.onDrain())
    if (this.#hasClosed) this.#end()
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#hasClosed || this.#channel.writableEnded) return true
    let hasRoom = true
    for (const chunk of chunks) hasRoom = this.#channel.write(chunk)
    return hasRoom
  }

  endInput(): void {
    if (!this.#hasClosed) this.#channel.end()
  }

  /** The signal is a wish that not every server hears; the end of its stdin is what a worker leaves by, with all that it started. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#hasClosed || this.#hasEnded) return
    sendSignal(this.#channel, signal.slice('SIG'.length))
    if (signal !== 'SIGKILL') return
    this.#channel.close()
    this.#confirmation ??= new Timer(CONFIRM_MS, () => {
      const text = `${this.#owner.address} did not confirm that the session ended: what became of it cannot be told from here`
      this.#refusal ??= new Unconfirmed(text)
      this.#end()
    })
  }

  keepAlive(isWanted: boolean): void {
    this.#owner.keepAliveFor(this, isWanted && !this.#hasEnded)
    this.#confirmation?.[isWanted ? 'ref' : 'unref']()
  }

  #end(): void {
    if (this.#hasEnded || this.#events === undefined) return
    this.#hasEnded = true
    this.#confirmation?.stop()
    this.#owner.keepAliveFor(this, false)
    const isKnown = this.#exitCode !== undefined || this.#signal !== undefined
    const error = isKnown
      ? undefined
      : (this.#owner.fault ?? this.#refusal ?? new Error(`${this.#owner.address} closed the session without a word`))
    this.#events.onEnd({ exitCode: this.#exitCode, signal: this.#signal, error })
  }
}

/** What of ssh2's own state is used. */
interface Internals {
  readonly outgoing?: { readonly id: number; readonly state: string }
  readonly _client?: { readonly _protocol?: { signal?(id: number, name: string): void } }
}

/** ssh2 sends none once the input was ended, which is just when one is wanted; to SSH that is all the same (RFC 4254, 6.9). */
function sendSignal(channel: ClientChannel, name: string): void {
  const { outgoing, _client: client } = channel as unknown as Internals // declared nowhere
  if (outgoing?.state === 'eof' || (outgoing?.state === 'open' && !channel.writable))
    client?._protocol?.signal?.(outgoing.id, name)
  else channel.signal(name)
}
