/** The public door: everything a user of tendril imports, by name. */
export {
  Arrivals,
  type Asking,
  type BaseGateway,
  type BaseGroup,
  type Certificate,
  Complex,
  DateTime,
  type DateTimeDetails,
  Decimal,
  Deque,
  dialFile,
  dumps,
  Float,
  Fraction,
  FrozenSet,
  float,
  type GatewayEnd,
  type GatewayInfo,
  type GatewayParts,
  type GatewayStatus,
  type GroupOptions,
  type Invitation,
  type InviteOptions,
  JSValue,
  type JSValueType,
  type JsonValue,
  type KilledWorker,
  type ListenOptions,
  loads,
  type MakeGatewayOptions,
  NaiveDateTime,
  NdArray,
  type OnOutput,
  type OnPhase,
  type OnTrace,
  OrderedDict,
  type OutputLine,
  type PhaseEvent,
  PlainDate,
  PlainTime,
  type PlainTimeDetails,
  type Prompt,
  PythonPath,
  type Question,
  Range,
  type Reference,
  readSpecs,
  registerJSValue,
  type Source,
  socketServerFile,
  spec,
  type TerminateReport,
  TimeDelta,
  Tuple,
  type TypedArray,
  type UnconfirmedWorker,
  UUID,
  type WaitOptions,
  type Word,
  XSpec,
  type XSpecLike,
  type XSpecObject,
} from './core.js'
export {
  AuthenticationError,
  BootstrapError,
  ChannelClosedError,
  type ConnectDetails,
  CopyError,
  type Delivery,
  DumpError,
  EndOfChannelError,
  type ExitDetails,
  ForwardError,
  GatewayClosedError,
  HostKeyError,
  HostNotFoundError,
  LoadError,
  type Phase,
  ProtocolError,
  ProvideError,
  RemoteError,
  type RemoteFailure,
  type RemoteFrame,
  RemoteReferenceError,
  SourceError,
  TendrilError,
  type TendrilErrorOptions,
  TimeoutError,
  XSpecError,
} from './errors.js'
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
