/**
 * The public core: gateways, channels, groups, xspecs, values and errors. Features build on this file and `errors.ts`
 * alone; `gateway.ts` and `group.ts` put them together, and `index.ts` is the door for users.
 */
import { useSuperjson } from './gateways/superjson.js'

export { Channel } from './channels/channel.js'
export { checkWait, type WaitOptions } from './channels/item-queue.js'
export { MultiChannel } from './channels/multi-channel.js'
export { ReceiveQueue } from './channels/receive-queue.js'
/** @internal For features that take AbortSignals. */
export { addAbortListener, anySignal, isAbortSignal, removeAbortListener } from './channels/signals.js'
/** @internal For features that send what nobody awaits. */
export { saysItIsOver } from './channels/unawaited.js'
export * from './errors.js'
export { Arrivals, type Invitation, type InviteOptions, type ListenOptions } from './gateways/arrivals.js'
/** @internal For features that carry connections. */
export { equipCarrier } from './gateways/carriers/carry.js'
/** @internal For features whose items have failures in them. */
export { failureOf, payloadReader } from './gateways/close-reason.js'
export type { GatewayEnd } from './gateways/end.js'
/** @internal For features that have Python files of their own. */
export { equip } from './gateways/equip.js'
export { BaseGateway } from './gateways/gateway.js'
export type { GatewayParts } from './gateways/gateway-parts.js'
export { BaseGroup, type GroupOptions, type MakeGatewayOptions } from './gateways/group.js'
export type { GatewayInfo, GatewayStatus } from './gateways/hello.js'
export type { OnPhase, PhaseEvent } from './gateways/opening.js'
export type { OnOutput, OutputLine } from './gateways/output.js'
export type { Source } from './gateways/source.js'
/** @internal For features that run sources. */
export { dedent, readSource, readTask } from './gateways/source.js'
export { type JSValueType, type JsonValue, registerJSValue } from './gateways/superjson.js'
export type { KilledWorker, TerminateReport, UnconfirmedWorker } from './gateways/termination.js'
export type { OnTrace } from './gateways/trace.js'
/** @internal For features that take URLs. */
export { isUrl } from './gateways/urls.js'
/** @internal For features that are given values of another realm. */
export { isPlainObject } from './protocol/codec/containers.js'
/** @internal For what nobody has asked for. */
export * as codec from './protocol/codec.js'
export { dumps, loads, type Reference } from './protocol/codec.js'
/** @internal For features that have queues. */
export { Fifo } from './protocol/fifo.js'
/** @internal What workers say to features. */
export * as messages from './protocol/messages.js'
/** @internal For features that have classes of values. */
export { brandValues, isBytes } from './protocol/realms.js'
export * from './protocol/times.js'
export * from './protocol/values.js'
export { readSpecs } from './specs/hosts-file.js'
export { spec } from './specs/spec-tag.js'
export { XSpec, type XSpecLike } from './specs/xspec.js'
export type { Word, XSpecObject } from './specs/xspec-keys.js'
/** @internal The clock for features. */
export { checkMs, monotonicMs, queueMicrotask, secondsOf, sleepQuietly, Timer } from './timer.js'
/** @internal For features that carry connections. */
export { connectOverChannel, streamOver } from './transports/channel-stream.js'
export type { Asking, Prompt, Question } from './transports/connecting.js'
/** @internal For features that may keep a gateway from its worker. */
export { faultOf } from './transports/connecting.js'
export type { Certificate } from './transports/dial-home/certificate.js'
export { dialFile } from './transports/dial-home/dial-file.js'
/** @internal For features that act upon what workers send. */
export { Pace } from './transports/pace.js'
export { socketServerFile } from './transports/socket/server-file.js'
/** @internal For features that take paths. */
export { resolveHere } from './transports/working-directory.js'

// URLs, regular expressions, errors and registered classes may be sent; superjson itself is loaded when the first one is.
useSuperjson()
