/** Where the way to a far end begins: on this machine, or beside a worker that carries it (`via=`). */
import { openProcess } from './process.js'
import { type ConnectTcp, connectTcp } from './tcp.js'
import type { Transport } from './transport.js'

/** What is started. */
export interface Command {
  /** Its words; `null` stands for the interpreter of the worker that carries it. */
  readonly argv: readonly (string | null)[]
  /** Set beside the variables that are there. */
  readonly env: Readonly<Record<string, string>>
  /** Whether it is to become a worker: should this program be killed before, it is ended, too. */
  readonly isWorker?: boolean
}

/** A machine that ways set out from. */
export interface Origin {
  /** The id of the gateway whose worker carries; undefined on this machine. */
  readonly carrier: string | undefined
  /** Starts a process, whose stdin and stdout are the stream. */
  start(command: Command): Transport
  connect: ConnectTcp
}

/** This machine. */
export const here: Origin = {
  carrier: undefined,
  start: ({ argv, env, isWorker = false }) =>
    openProcess(
      argv.map((word) => word ?? process.execPath),
      { env, isAttended: isWorker },
    ),
  connect: connectTcp,
}
