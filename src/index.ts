/** The public door: everything a user of tendril imports. */
export type { CopyEntry, CopyOptions, CopyProgress, CopyReport, PutOptions, SkippedEntry } from './copies/options.js'
export type { PutSource } from './copies/put.js'
export * from './core.js'
export type { ProvideOptions } from './elastic/provide.js'
export type { ForwardAddress } from './forwarding/address.js'
export type { Forward, ForwardOptions } from './forwarding/forward.js'
export { Channel, Gateway, MultiChannel, ReceiveQueue } from './gateway.js'
export { defaultGroup, Group, makeGateway } from './group.js'
