/** The public door: everything a user of tendril imports. */

export * from './core.js'
export type { CallOptions, KillAfter } from './features/calls/call-options.js'
export type { ExecuteOptions, Names } from './features/calls/calls.js'
export type { GivenUpCall } from './features/calls/given-up.js'
export type { LogOptions, LogRecord, LogSubscription } from './features/calls/log.js'
export type { PostMortem, PostMortemFrame } from './features/calls/post-mortem.js'
export { RemoteIterator } from './features/calls/remote-iterator.js'
export type { RemoteThread } from './features/calls/stacks.js'
export type {
  CopyEntry,
  CopyOptions,
  CopyProgress,
  CopyReport,
  PutOptions,
  SkippedEntry,
} from './features/copies/options.js'
export type { PutSource } from './features/copies/put.js'
export type { ProvideOptions } from './features/elastic/provide.js'
export type { ForwardAddress } from './features/forwarding/address.js'
export type { Forward, ForwardOptions } from './features/forwarding/forward.js'
export type { Exposed } from './features/proxies/callbacks.js'
export { declarationsOf } from './features/proxies/declarations.js'
export { type Kwargs, kwargs } from './features/proxies/kwargs.js'
export type {
  Expression,
  Modules,
  Operations,
  Operator,
  Pending,
  Remote,
  RemoteObject,
} from './features/proxies/remote.js'
export type { GatewayStats, RemoteReferences } from './features/proxies/remote-objects.js'
export type { Service, ServiceOptions } from './features/proxies/service.js'
export { Channel, Gateway, MultiChannel, ReceiveQueue } from './gateway.js'
export { defaultGroup, Group, makeGateway } from './group.js'
