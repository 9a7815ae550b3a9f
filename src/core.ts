/**
 * The public core: gateways, channels, groups, xspecs, values and errors. Features build on this file and `errors.ts`
 * alone; `gateway.ts` and `group.ts` put them together, and `index.ts` is the door for users.
 */
import type { Channel as ChannelOf } from './channels/channel.js'
import type { Gateway } from './gateways/gateway.js'
import { useSuperjson } from './gateways/superjson.js'

export { Channel as ChannelOf } from './channels/channel.js'
export type { WaitOptions } from './channels/item-queue.js'
export { MultiChannel as MultiChannelOf } from './channels/multi-channel.js'
export { ReceiveQueue as ReceiveQueueOf } from './channels/receive-queue.js'
export * from './errors.js'
export { Arrivals, type InviteOptions, type ListenOptions } from './gateways/arrivals.js'
/** @internal For features that carry connections. */
export { equipCarrier } from './gateways/carry.js'
export type { GatewayEnd } from './gateways/end.js'
export { equip } from './gateways/equip.js'
export { Gateway, type GatewayParts } from './gateways/gateway.js'
export { GroupOf, type GroupOptions, type MakeGatewayOptions } from './gateways/group.js'
export type { GatewayInfo, GatewayStatus } from './gateways/hello.js'
export { readSpecs } from './gateways/hosts-file.js'
export type { OnPhase, PhaseEvent } from './gateways/opening.js'
export type { OnOutput, OutputLine } from './gateways/output.js'
export type { Source } from './gateways/source.js'
/** @internal For features that run sources. */
export { dedent, readSource } from './gateways/source.js'
export { type JSValueType, type JsonValue, registerJSValue } from './gateways/superjson.js'
export type { KilledWorker, TerminateReport } from './gateways/termination.js'
export { XSpec } from './gateways/xspec.js'
export { dumps, loads, type Reference } from './protocol/codec.js'
export * from './protocol/times.js'
export * from './protocol/values.js'
/** @internal For features that carry connections. */
export { connectOverChannel, streamOver } from './transports/channel-stream.js'
export type { Asking, Prompt, Question } from './transports/connecting.js'
export type { Certificate } from './transports/dial-home/certificate.js'
export { dialFile } from './transports/dial-home/dial-file.js'
export { socketServerFile } from './transports/socket/server-file.js'

// URLs, regular expressions, errors and registered classes may be sent; superjson itself is loaded when the first one is.
useSuperjson()

/** A channel of a gateway of the core. */
export type Channel<R = unknown, S = unknown> = ChannelOf<R, S, Gateway>
