/** What users hold: the core's gateway with the methods of every feature, each of which only says where its feature is. */
import { ChannelOf, Gateway as CoreGateway, MultiChannelOf, ReceiveQueueOf } from './core.js'

/** A running Python and the link to it. Made by `makeGateway` or a group. */
export class Gateway extends CoreGateway {}

/** One end of a conversation with remote code. */
export type Channel<R = unknown, S = unknown> = ChannelOf<R, S, Gateway>
export const Channel: typeof ChannelOf = ChannelOf

/** Channels treated as one. */
export type MultiChannel<R = unknown, S = unknown> = MultiChannelOf<R, S, Gateway>
export const MultiChannel: typeof MultiChannelOf = MultiChannelOf

/** The items of many channels as they arrive. */
export type ReceiveQueue<R = unknown, S = unknown> = ReceiveQueueOf<R, S, Gateway>
export const ReceiveQueue: typeof ReceiveQueueOf = ReceiveQueueOf
