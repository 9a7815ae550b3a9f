/** What users hold: the core's gateway with the methods of every feature, each of which only says where its feature is. */
import { Session } from './calls/session.js'
import { getFiles } from './copies/get.js'
import type { CopyOptions, CopyReport, PutOptions } from './copies/options.js'
import { type PutSource, putFiles } from './copies/put.js'
import { readRemoteFile } from './copies/read.js'
import { ChannelOf, Gateway as CoreGateway, MultiChannelOf, ReceiveQueueOf, type WaitOptions } from './core.js'
import { type ProvideOptions, provide } from './elastic/provide.js'
import { type Forward, type ForwardOptions, forward } from './forwarding/forward.js'

/** A running Python and the link to it. Made by `makeGateway` or a group. */
export class Gateway extends CoreGateway {
  readonly #session = new Session(this)

  /**
   * Calls a function of the worker: of a module, which is imported, of what was executed there, or a builtin.
   *
   * @param path - Its dotted name, such as `os.path.join`.
   * @returns What it returned, by value.
   * @throws {@link RemoteError} when it raised, {@link DumpError} when an argument cannot be sent.
   * @example
   * ```ts
   * await gateway.call('os.path.join', ['a', 'b']) // 'a/b'
   * ```
   */
  async call<R = unknown>(
    path: string,
    args: readonly unknown[] = [],
    kwargs: Readonly<Record<string, unknown>> = {},
  ): Promise<R> {
    return (await this.#session.request('call', path, args, kwargs)) as R // the type is the caller's claim
  }

  /** The value of a dotted name, found as that of a function to call. */
  get<R = unknown>(path: string): Promise<R>
  /** Copies a file or folder of the worker's machine to this one; see `getFiles`. */
  get(remotePath: string, localPath: string | URL, options?: CopyOptions): Promise<CopyReport>
  get(path: string, localPath?: string | URL, options?: CopyOptions): Promise<unknown> {
    return localPath === undefined ? this.#session.request('get', path) : getFiles(this, path, localPath, options)
  }

  /** Copies a file or folder of this machine, or bytes, to the worker's; see `putFiles`. */
  put(source: PutSource, remotePath: string, options?: PutOptions): Promise<CopyReport> {
    return putFiles(this, source, remotePath, options)
  }

  /** Has who connects to an address on one side reach an address on the other; see `forward`. */
  forward(options: ForwardOptions): Promise<Forward> {
    return forward(this, options)
  }

  /** The bytes of a file of the worker's machine, as they come; see `readRemoteFile`. */
  readFile(remotePath: string, options?: WaitOptions): AsyncGenerator<Uint8Array, void, undefined> {
    return readRemoteFile(this, remotePath, options)
  }

  /**
   * Makes modules of this side importable on the worker. Waits for nothing: what is executed after it finds them.
   *
   * Called again, with `{}` too, it looks at all files again: what has changed is imported anew.
   *
   * @throws {@link ProvideError} for a root, a package or a wheel that cannot be provided; nothing has changed then.
   * @example
   * ```ts
   * gateway.provide({ roots: ['examples/pylib'] })
   * await gateway.remoteExec('import greetings; channel.send(greetings.greet("you"))').receive() // 'hello you'
   * ```
   */
  provide(options: ProvideOptions): void {
    provide(this, options)
  }
}

/** One end of a conversation with remote code. */
export type Channel<R = unknown, S = unknown> = ChannelOf<R, S, Gateway>
export const Channel: typeof ChannelOf = ChannelOf

/** Channels treated as one. */
export type MultiChannel<R = unknown, S = unknown> = MultiChannelOf<R, S, Gateway>
export const MultiChannel: typeof MultiChannelOf = MultiChannelOf

/** The items of many channels as they arrive. */
export type ReceiveQueue<R = unknown, S = unknown> = ReceiveQueueOf<R, S, Gateway>
export const ReceiveQueue: typeof ReceiveQueueOf = ReceiveQueueOf
