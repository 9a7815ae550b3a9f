/**
 * The public core: gateways, channels, groups, xspecs, values and errors. Features build on this file and `errors.ts`
 * alone; `index.ts` is the door for users.
 */
import { Channel as ChannelOf } from './channels/channel.js'
import { MultiChannel as MultiChannelOf } from './channels/multi-channel.js'
import { ReceiveQueue as ReceiveQueueOf } from './channels/receive-queue.js'
import type { Gateway } from './gateways/gateway.js'
import { Group, type MakeGatewayOptions } from './gateways/group.js'
import { useSuperjson } from './gateways/superjson.js'
import type { XSpec } from './gateways/xspec.js'

export type { WaitOptions } from './channels/item-queue.js'
export * from './errors.js'
export { Arrivals, type InviteOptions, type ListenOptions } from './gateways/arrivals.js'
export type { GatewayEnd } from './gateways/end.js'
export { Gateway } from './gateways/gateway.js'
export { Group, type GroupOptions, type MakeGatewayOptions } from './gateways/group.js'
export type { GatewayInfo, GatewayStatus } from './gateways/hello.js'
export { readSpecs } from './gateways/hosts-file.js'
export type { OnPhase, PhaseEvent } from './gateways/opening.js'
export type { OnOutput, OutputLine } from './gateways/output.js'
export type { Source } from './gateways/source.js'
export { type JSValueType, type JsonValue, registerJSValue } from './gateways/superjson.js'
export type { KilledWorker, TerminateReport } from './gateways/termination.js'
export { XSpec } from './gateways/xspec.js'
export { dumps, loads } from './protocol/codec.js'
export * from './protocol/times.js'
export * from './protocol/values.js'
export type { Asking, Prompt, Question } from './transports/connecting.js'
export type { Certificate } from './transports/dial-home/certificate.js'
export { dialFile } from './transports/dial-home/dial-file.js'
export { socketServerFile } from './transports/socket/server-file.js'

// URLs, regular expressions, errors and registered classes may be sent; superjson itself is loaded when the first one is.
useSuperjson()

/** One end of a conversation with remote code. */
export type Channel<R = unknown, S = unknown> = ChannelOf<R, S, Gateway>
export const Channel: typeof ChannelOf = ChannelOf

/** Channels treated as one. */
export type MultiChannel<R = unknown, S = unknown> = MultiChannelOf<R, S, Gateway>
export const MultiChannel: typeof MultiChannelOf = MultiChannelOf

/** The items of many channels as they arrive. */
export type ReceiveQueue<R = unknown, S = unknown> = ReceiveQueueOf<R, S, Gateway>
export const ReceiveQueue: typeof ReceiveQueueOf = ReceiveQueueOf

/** The group of gateways that were made without naming one. */
export const defaultGroup: Group = new Group()

/**
 * Opens a gateway in the default group and waits until its worker is there.
 *
 * @param spec - `popen` when absent.
 * @throws {@link XSpecError} for a spec that cannot be opened; nothing has been started then.
 * @throws {@link BootstrapError} when no worker came to life; it says what was tried and what came back.
 * @example
 * ```ts
 * await using gateway = await makeGateway('popen')
 * const channel = gateway.remoteExec('import os; channel.send(os.getpid())')
 * await channel.receive() // the process id of that Python
 * ```
 */
export function makeGateway(spec?: string | XSpec, options?: MakeGatewayOptions): Promise<Gateway> {
  return defaultGroup.makeGateway(spec, options)
}
