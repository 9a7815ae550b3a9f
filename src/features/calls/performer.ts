/** What performs requests, as those see it who make them (PROTOCOL.md §12). */
import type { GivenUp } from './given-up.js'
import type { Pings } from './pings.js'

/**
 * A reply: the request's number, what it came to, and the failure that it came to instead; for an iterator (`items`), or an
 * asynchronous one (`stream`), the channel of its items.
 */
export type Reply = readonly [number: number, value: unknown, failure?: unknown, kind?: 'items' | 'stream']

/** How a request is sent. */
export interface SendOptions {
  /** It does not keep the process alive, and holds up no iterator. */
  readonly isQuiet?: boolean | undefined
  /** Where it is to begin, instead of where the question has it that it is made for. */
  readonly where?: number | undefined
  /** What it is, for errors. */
  readonly title?: string | (() => string) | undefined
  /** The worker is to say when it begins: see `hasBegun`. */
  readonly tellsBegin?: boolean | undefined
}

/** What performs requests. */
export interface Performer {
  /** Sends a request, and gives its number; its reply is undefined when it has none. */
  send(request: readonly unknown[], onReply: (reply: Reply | undefined) => void, options?: SendOptions): number
  /** Says what must not wait behind requests. */
  command(...command: readonly unknown[]): void
  /** Has a channel that went with a request or a command fail as they do when there can be no session. */
  carry(channel: { onEnd(makeError: () => Error): void; close(): Promise<void> }): void
  /** Ends a request without a reply. */
  drop(number: number): void
  /** What a request that was taken back had waited behind, as far as the worker knows. */
  takeBehind(number: number): string | undefined
  /** Why a request will not be interrupted, as far as the worker knows. */
  obstacleTo(number: number): string | undefined
  /** What was aborted and still runs. */
  readonly givenUp: GivenUp
  readonly pings: Pings
  /** Whether the worker has said that a request has begun. */
  hasBegun(number: number): boolean
  /** Ends the worker for the sake of a request, with an error. */
  killFor(number: number, error: Error): void
  /** Whether anything of the user's runs there beside what was given up; resolves when the worker has answered. */
  othersRun(number: number): Promise<boolean>
}
