/**
 * Every error tendril throws. `instanceof` works across two installs of the package: it asks for a brand. Nothing here
 * knows Node, so every layer may import it. Construct an error inside the async function that throws it, after its
 * `await`: only then does `stack` show the caller's own async frames.
 */

import { onOneLine } from './one-line.js'
import { RemoteError } from './remote-error.js'
import { brandErrors, TendrilError, type TendrilErrorOptions } from './tendril-error.js'

export { RemoteError, remoteErrorFrom } from './remote-error.js'
export { type RemoteFailure, type RemoteFrame, remoteFailureFrom } from './remote-failure.js'
/** @internal For whoever meets what code of the user's has thrown. */
export { asError } from './thrown.js'
export { TendrilError, type TendrilErrorOptions }

/** How far a gateway has come on its way to a worker. They follow in this order; a kind leaves out those that it does not have. */
export type Phase = 'resolve' | 'connect' | 'host key' | 'authenticate' | 'channel' | 'python' | 'ready'

/** What the errors of a gateway that did not come to life take. */
export interface ConnectDetails extends TendrilErrorOptions {
  /** Where the way ended. */
  readonly phase?: Phase | undefined
}

/** How a process ended and what it said last; what is absent is not known. */
export interface ExitDetails extends TendrilErrorOptions {
  readonly exitCode?: number | undefined
  /** The name of the signal that ended the process, such as `SIGKILL`. */
  readonly signal?: string | undefined
  /** The end of what the process wrote to stderr. */
  readonly stderrTail?: string | undefined
}

/** The channel ended normally, and every item that came before has been received. */
export class EndOfChannelError extends TendrilError {
  readonly code = 'ERR_END_OF_CHANNEL'
}

/** The channel was closed: nothing can be sent on it any more. */
export class ChannelClosedError extends TendrilError {
  readonly code = 'ERR_CHANNEL_CLOSED'
}

/** What was waited for did not come in time; what was waited on stays usable. */
export class TimeoutError extends TendrilError {
  readonly code = 'ERR_TIMEOUT'
}

/** An error whose message may quote what nobody has checked: it is one line all the same, and moves no terminal's cursor. */
abstract class QuotingError extends TendrilError {
  constructor(message: string, options?: TendrilErrorOptions) {
    super(onOneLine(message), options)
  }
}

/** An error of one place, in a value or on a disk. */
abstract class PathError extends QuotingError {
  /** For DumpError where in the value, `item.users[3].created`; else the file, folder or name at fault. */
  readonly path: string

  constructor(message: string, options: TendrilErrorOptions & { readonly path: string }) {
    super(message, options)
    this.path = options.path
  }
}

/** A value has no form on the wire; nothing was sent and the channel stays usable. */
export class DumpError extends PathError {
  readonly code = 'ERR_DUMP'
}

/** Bytes that were to be a value are not one, or name what may not be looked up. */
export class LoadError extends QuotingError {
  readonly code = 'ERR_LOAD'
  /** @internal The first member of the list that it begins as, where it is one: what it was for can be told by that. */
  readonly firstMember: unknown
  /** @internal How many bytes had been read of it. */
  readonly at: number | undefined

  constructor(
    message: string,
    options: TendrilErrorOptions & { readonly firstMember?: unknown; readonly at?: number } = {},
  ) {
    super(message, options)
    Object.defineProperty(this, 'firstMember', { value: options.firstMember, enumerable: false })
    Object.defineProperty(this, 'at', { value: options.at, enumerable: false })
  }
}

/** An xspec cannot be read, or names something that does not exist. */
export class XSpecError extends QuotingError {
  readonly code = 'ERR_XSPEC'
}

/** There is no such host, or nothing on it that answers: its name, its address or its port is wrong, or it is down. */
export class HostNotFoundError extends QuotingError {
  readonly code = 'ERR_HOST_NOT_FOUND'
  /** Where the way ended: `resolve`, `connect`, or `host key` when what is there is no SSH server. */
  readonly phase: Phase

  constructor(message: string, options: ConnectDetails = {}) {
    super(message, options)
    this.phase = options.phase ?? 'connect'
  }
}

/** How a process ended, as far as it is known: what `BootstrapError` and `GatewayClosedError` share. */
abstract class ExitError extends QuotingError {
  /** What the process exited with; absent when a signal ended it, or nobody knows. */
  readonly exitCode: number | undefined
  /** The signal that ended the process, such as `SIGKILL`. */
  readonly signal: string | undefined
  /** The end of what it wrote to stderr; empty when it was silent. */
  readonly stderrTail: string

  constructor(message: string, options: ExitDetails = {}) {
    super(message, options)
    this.exitCode = options.exitCode
    this.signal = options.signal
    this.stderrTail = options.stderrTail ?? ''
  }
}

/** No worker came to life: the interpreter is missing, is not Python, is too old, ended, or said nothing in time. */
export class BootstrapError extends ExitError {
  readonly code = 'ERR_BOOTSTRAP'
  /** What was started or reached, a command line or an address each. */
  readonly tried: readonly string[]
  /** What came before the worker's first word and was not ours. */
  readonly noise: string
  /** Where the way ended: `python`, `channel` when the host gave us no session, or where a program that leads there is not installed. */
  readonly phase: Phase

  constructor(
    message: string,
    options: ExitDetails &
      ConnectDetails & { readonly tried?: readonly string[] | undefined; readonly noise?: string | undefined } = {},
  ) {
    super(message, options)
    this.phase = options.phase ?? 'python'
    this.tried = options.tried ?? []
    this.noise = options.noise ?? ''
  }
}

/** Whether a request may have been performed before the gateway ended: `not-sent` is never, `unknown` is that nobody can tell. */
export type Delivery = 'not-sent' | 'unknown'

/** The gateway has ended, by itself or by us, before the thing that was asked of it was done. */
export class GatewayClosedError extends ExitError {
  readonly code = 'ERR_GATEWAY_CLOSED'
  /** For a call, what became of it: one that is `not-sent` can be made again elsewhere without being made twice. */
  readonly delivery: Delivery | undefined

  constructor(message: string, options: ExitDetails & { readonly delivery?: Delivery | undefined } = {}) {
    super(message, options)
    this.delivery = options.delivery
  }
}

/** The peer broke a rule of PROTOCOL.md; the gateway is of no more use. */
export class ProtocolError extends QuotingError {
  readonly code = 'ERR_PROTOCOL'
}

/** The other side refused every way we have to say who we are. */
export class AuthenticationError extends QuotingError {
  readonly code = 'ERR_AUTHENTICATION'
  readonly phase: Phase = 'authenticate'
  /** The methods that the host offered, such as `publickey`; empty when it told none. */
  readonly offered: readonly string[]
  /** What we showed it, with where each came from, such as `publickey ~/.ssh/id_ed25519`. */
  readonly tried: readonly string[]

  constructor(
    message: string,
    options: TendrilErrorOptions & {
      readonly offered?: readonly string[] | undefined
      readonly tried?: readonly string[] | undefined
    } = {},
  ) {
    super(message, options)
    this.offered = options.offered ?? []
    this.tried = options.tried ?? []
  }
}

/** The host is not the one its key says it is, or nobody has vouched for it. */
export class HostKeyError extends QuotingError {
  readonly code = 'ERR_HOST_KEY'
  readonly phase: Phase = 'host key'
  /** The key that the host showed, as `SHA256:…`; empty when it is not known. */
  readonly fingerprint: string

  constructor(message: string, options: TendrilErrorOptions & { readonly fingerprint?: string | undefined } = {}) {
    super(message, options)
    this.fingerprint = options.fingerprint ?? ''
  }
}

/** A file or folder could not be copied. What was in its place is as it was; what had been copied has been removed. */
export class CopyError extends PathError {
  readonly code = 'ERR_COPY'
  /** The gateway on whose side it is; undefined on this one. */
  readonly gatewayId: string | undefined
  /** What the system calls it, such as `ENOSPC`; empty when it has no name. */
  readonly reason: string
  /** The paths that are new already, when a folder that was there could only be filled in part; nothing has changed where it is empty. */
  readonly renewed: readonly string[]

  constructor(
    message: string,
    options: TendrilErrorOptions & {
      readonly path: string
      readonly reason: string
      readonly gatewayId: string | undefined
      readonly renewed?: readonly string[]
    },
  ) {
    super(message, options)
    this.gatewayId = options.gatewayId
    this.reason = options.reason
    this.renewed = options.renewed ?? []
  }
}

/** An address cannot be listened on, or a connection that came in could not be made onwards, or broke. */
export class ForwardError extends QuotingError {
  readonly code = 'ERR_FORWARD'
  /** The address at fault. */
  readonly address: string
  /** What the system calls it, such as `EADDRINUSE`; empty when it has no name. */
  readonly reason: string

  constructor(message: string, options: TendrilErrorOptions & { readonly address: string; readonly reason: string }) {
    super(message, options)
    this.address = options.address
    this.reason = options.reason
  }
}

/** A file of remote code cannot be read here; nothing was sent. */
export class SourceError extends PathError {
  readonly code = 'ERR_SOURCE'
  /** What the system calls it, such as `ENOENT`; empty when it has no name. */
  readonly reason: string

  constructor(message: string, options: TendrilErrorOptions & { readonly path: string; readonly reason: string }) {
    super(message, options)
    this.reason = options.reason
  }
}

/** Modules cannot be provided: a root, a package or a wheel cannot be read, or leads to what must not be sent. */
export class ProvideError extends PathError {
  readonly code = 'ERR_PROVIDE'
}

/** An object of the worker was used after it had been disposed of, or on another gateway than its own. */
export class RemoteReferenceError extends TendrilError {
  readonly code = 'ERR_REMOTE_REFERENCE'
}

brandErrors({
  TendrilError,
  RemoteError,
  EndOfChannelError,
  ChannelClosedError,
  TimeoutError,
  DumpError,
  LoadError,
  XSpecError,
  HostNotFoundError,
  BootstrapError,
  GatewayClosedError,
  ProtocolError,
  AuthenticationError,
  HostKeyError,
  CopyError,
  ForwardError,
  ProvideError,
  RemoteReferenceError,
  SourceError,
})
