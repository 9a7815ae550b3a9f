/**
 * What passes between a transport that has a way to go before it carries anything and whoever opened it: the phases of
 * the way, questions for a person, the wish to stop, and how the way failed.
 */
import { type Phase, TendrilError } from '../errors.js'

/** What only a person can answer. */
export interface Question {
  readonly kind: 'password' | 'passphrase' | 'answer'
  /** Who asks, as `user@host`; for a passphrase the file that it opens. */
  readonly from: string
  /** One line to show, with no colon or blank at its end. */
  readonly text: string
  /** Whether the answer may be seen while it is typed. */
  readonly echo: boolean
}

/** For whom a question is asked. */
export interface Asking {
  /** The id of the gateway. One that asks the same again was not content with the answer. */
  readonly gateway: string
  /** Aborted when the answer is of no more use. */
  readonly signal: AbortSignal
}

/** Answers a question; `undefined` declines, and what can be done without the answer goes on. */
export type Prompt = (question: Question, asking: Asking) => string | undefined | Promise<string | undefined>

/** What a transport is given for its way. */
export interface Connecting {
  /**
   * Says that a phase begins, with what it deals with: `connect`, `10.0.0.4 port 22`.
   *
   * @param stuck - What it means when the time is up in it, and what to do, without a full stop: where that is not what it mostly means.
   */
  enter(phase: Phase, detail?: string, stuck?: string): void
  /** Asks a person; resolves to `undefined` when there is nobody to ask. The connect timeout waits meanwhile. */
  ask(question: Question): Promise<string | undefined>
  /**
   * Has the connect timeout stand still until the function that is returned is called: while this gateway waits for its turn,
   * or while somebody else is asked for both. `ask` does so by itself.
   */
  pause(): () => void
  /** Aborted when the gateway is given up before it was ready. */
  readonly signal: AbortSignal
}

/** Why a transport did not arrive, for people; the gateway's name is put before it when it becomes an error of ours. */
export class ConnectFault extends Error {
  readonly phase: Phase
  readonly #make: (message: string) => TendrilError

  /**
   * @param message - What happened, where, and what to do: sentences without the gateway's name and without a full stop at the end.
   * @param make - Makes the error that users get, with its details.
   */
  constructor(phase: Phase, message: string, make: (message: string) => TendrilError, options?: ErrorOptions) {
    super(message, options)
    this.phase = phase
    this.#make = make
  }

  /** The error that users get; a fresh one each time, so that its stack is the caller's. */
  errorFor(gateway: string): TendrilError {
    return this.#make(`gateway ${gateway}: ${this.message}`)
  }
}

/** What a way ends with that `error` has kept from its begin: users get that very error when it is one of ours. */
export function faultOf(error: Error): Error {
  return error instanceof TendrilError ? new ConnectFault('python', error.message, () => error) : error
}
