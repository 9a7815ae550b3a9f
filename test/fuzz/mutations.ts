/** Streams that a peer could send, made of one that a real peer has sent: by frames, by the values in them, and by bytes. */

import { Tuple } from '../../src/index.js'
import { decode, encode, type Reference } from '../../src/protocol/codec.js'
import { HEADER_BYTES, Kind } from '../../src/protocol/frames.js'
import type { Random } from '../random.js'

/** A frame, in the order of its header. */
interface Frame {
  kind: number
  flags: number
  channel: number
  payload: Uint8Array
}

/** Cuts a stream, of which no byte is missing, into frames. */
export function framesOf(stream: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + HEADER_BYTES <= stream.length; ) {
    const begin = at + HEADER_BYTES
    const end = begin + stream.readUInt32BE(at + 6)
    const header = { kind: stream.readUInt8(at), flags: stream.readUInt8(at + 1), channel: stream.readUInt32BE(at + 2) }
    frames.push({ ...header, payload: new Uint8Array(stream.subarray(begin, end)) })
    at = end
  }
  return frames
}

export function bytesOf({ kind, flags, channel, payload }: Frame, length: number = payload.length): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length)
  bytes.writeUInt8(kind & 0xff, 0)
  bytes.writeUInt8(flags & 0xff, 1)
  bytes.writeUInt32BE(channel >>> 0, 2)
  bytes.writeUInt32BE(length >>> 0, 6)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

/** A stream with a few changes. */
export function mutated(frames: readonly Frame[], random: Random): Buffer {
  const changed = frames.map((frame) => ({ ...frame }))
  let cut: ((stream: Buffer) => Buffer) | undefined
  for (let times = 1 + random.below(3); times > 0; times--) {
    const change = random.pick(changes)
    cut = change(changed, random) ?? cut
  }
  const stream = Buffer.concat(changed.map((frame) => bytesOf(frame)))
  return cut === undefined ? stream : cut(stream)
}

type Change = (frames: Frame[], random: Random) => ((stream: Buffer) => Buffer) | undefined

const channelOf = (frames: readonly Frame[], random: Random): number =>
  random.below(4) === 0 ? random.pick([0, 1, 2, 3, 4, 1000, 2 ** 31, 2 ** 32 - 1]) : (random.pick(frames)?.channel ?? 0)

const changes: readonly Change[] = [
  // Frames.
  (frames, random) => void frames.splice(random.below(frames.length), 1 + random.below(3)),
  (frames, random) => {
    const at = random.below(frames.length)
    frames.splice(
      random.below(frames.length),
      0,
      ...frames.slice(at, at + 1 + random.below(3)).map((each) => ({ ...each })),
    )
  },
  (frames, random) => {
    const [one, other] = [random.below(frames.length), random.below(frames.length)]
    const [a, b] = [frames[one], frames[other]]
    if (a !== undefined && b !== undefined) Object.assign(frames, { [one]: b, [other]: a })
  },
  (frames, random) => void Object.assign(random.pick(frames) ?? {}, { kind: random.below(22) }),
  (frames, random) =>
    void Object.assign(random.pick(frames) ?? {}, { flags: random.pick([0, 1, 2, 3, 4, 8, 12, 16, 18, 19, 255]) }),
  (frames, random) => void Object.assign(random.pick(frames) ?? {}, { channel: channelOf(frames, random) }),
  (frames, random) => {
    const payloads = [
      new Uint8Array(),
      Uint8Array.of(0, 0, 0, 1),
      Uint8Array.of(255, 255, 255, 255),
      payloadOf(hostile(random)),
    ]
    const kind = random.pick([
      Kind.OPEN,
      Kind.DATA,
      Kind.CREDIT,
      Kind.END,
      Kind.CLOSE,
      Kind.OUTPUT,
      Kind.STATUS,
      Kind.BYTES,
      Kind.DROPPED,
      Kind.BATCH,
    ])
    const frame = {
      kind,
      flags: random.pick([0, 0, 1, 2, 4, 16, 18]),
      channel: channelOf(frames, random),
      payload: random.pick(payloads),
    }
    frames.splice(random.below(frames.length + 1), 0, frame)
  },
  // Fragments: of any frame, cut anywhere, the last of which may never come.
  (frames, random) => {
    const at = random.below(frames.length)
    const frame = frames[at]
    if (frame === undefined || frame.payload.length < 2) return
    const middle = 1 + random.below(frame.payload.length - 1)
    const first = { ...frame, flags: frame.flags | 1, payload: frame.payload.subarray(0, middle) }
    frames.splice(
      at,
      1,
      first,
      ...(random.below(3) === 0 ? [] : [{ ...frame, payload: frame.payload.subarray(middle) }]),
    )
  },
  // Values.
  ...Array.from(
    { length: 8 },
    (): Change => (frames, random) => {
      const frame = random.pick(frames)
      if (frame !== undefined) frame.payload = withOtherValue(frame.payload, random)
    },
  ),
  // Bytes: of payloads, and of the stream.
  ...Array.from(
    { length: 3 },
    (): Change => (frames, random) => {
      const frame = random.pick(frames)
      if (frame !== undefined) frame.payload = withOtherBytes(frame.payload, random)
    },
  ),
  (_, random) => (stream) => stream.subarray(0, random.below(stream.length + 1)),
  (_, random) => (stream) => Buffer.from(withOtherBytes(stream, random)),
]

function withOtherBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const other = bytes.slice()
  for (let times = 1 + random.below(4); times > 0 && other.length > 0; times--)
    other[random.below(other.length)] = random.pick([
      random.below(256),
      0,
      0x28,
      0x2e,
      0x30,
      0x52,
      0x5d,
      0x65,
      0x68,
      0x8f,
      0x94,
      0xff,
    ])
  const at = random.below(other.length + 1)
  const kinds: readonly (() => Uint8Array)[] = [
    () => other,
    () => other.subarray(0, at),
    () => Buffer.concat([other.subarray(0, at), other.subarray(Math.min(other.length, at + 1 + random.below(8)))]),
    () => Buffer.concat([other.subarray(0, at), other.subarray(0, random.below(40)), other.subarray(at)]),
  ]
  return new Uint8Array(random.pick(kinds)())
}

/** What a reference in a payload stands for, while that is changed. */
class Mark {
  readonly reference: Reference
  constructor(kind: string, id: number) {
    this.reference = { kind, id } as Reference
  }
}

function payloadOf(value: unknown): Uint8Array {
  try {
    const referenceTo = (object: object): Reference | undefined =>
      object instanceof Mark ? object.reference : undefined
    return new Uint8Array(Buffer.concat(encode(value, { protocol: 4, referenceTo })))
  } catch {
    return Uint8Array.of(0x80, 4, 0x4e, 0x2e) // a value that cannot be sent
  }
}

function withOtherValue(payload: Uint8Array, random: Random): Uint8Array {
  let value: unknown
  try {
    value = decode(payload, { referred: (kind, id) => new Mark(kind, id) })
  } catch {
    return payloadOf(hostile(random))
  }
  return payloadOf(changed(value, random, 3))
}

/** The value, with another in the place of a member, or in its own. */
function changed(value: unknown, random: Random, depth: number): unknown {
  const isContainer = typeof value === 'object' && value !== null && !(value instanceof Mark)
  if (!isContainer || depth === 0 || random.below(5) === 0) return other(value, random)
  if (value instanceof Uint8Array)
    return random.below(2) === 0 ? withOtherValue(value, random) : withOtherBytes(value, random)
  if (Array.isArray(value)) {
    const members = [...value]
    const at = random.below(members.length + 1)
    const choice = random.below(5)
    if (choice === 0) members.splice(at, 1)
    else if (choice === 1) members.splice(at, 0, hostile(random))
    else members[at] = changed(members[at], random, depth - 1)
    return value instanceof Tuple ? new Tuple(...members) : members
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return other(value, random)
  const entries = Object.entries(value)
  const [key] = random.pick(entries) ?? ['']
  if (random.below(5) === 0) return Object.fromEntries(entries.filter(([name]) => name !== key))
  return { ...value, [key]: changed(Reflect.get(value, key), random, depth - 1) }
}

function other(value: unknown, random: Random): unknown {
  if (value instanceof Mark && random.below(2) === 0)
    return new Mark(
      random.pick(['Channel', 'Callback', 'Ref', 'Step', 'Lent', 'Controller']),
      random.pick([0, 1, 3, 5, 7, 2 ** 31]),
    )
  if (typeof value === 'number' && random.below(2) === 0)
    return random.pick([value + 1, value - 1, -value, value * 2, value + 0.5])
  if (typeof value === 'string' && random.below(2) === 0)
    return random.pick([`${value}x`, value.slice(1), value.repeat(3)])
  return hostile(random)
}

/** Each is made once: some take longer than all else that is done for a stream. */
function hostile(random: Random): unknown {
  const make = random.pick(values)
  if (!made.has(make)) made.set(make, make())
  return made.get(make)
}

const made = new Map<() => unknown, unknown>()

const values: readonly (() => unknown)[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    0.5,
    1e308,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    2n ** 70n,
  ].map((each) => () => each),
  ...[
    '',
    'x',
    '\0',
    '__proto__',
    'constructor',
    'then',
    '\ud800',
    'x'.repeat(70_000),
    '\n'.repeat(3000),
    `x${' '.repeat(40_000)}x`,
  ].map((each) => () => each),
  () => [],
  () => ({}),
  () => new Tuple(),
  () => new Uint8Array(),
  () => new Uint8Array(70_000),
  () => new Map<unknown, unknown>([[1, 2]]),
  () => new Set([1]),
  () => new Set(Array.from({ length: 3000 }, (_, at) => BigInt(at) << 64n)),
  () => ({ ['__proto__']: { a: 1 } }),
  () => ({ [String('then')]: new Mark('Callback', 1) }),
  () => ({ message: null, type: [], frames: {}, cause: 5, args: 'x', traceback: 7 }),
  () => new Mark('Channel', 1),
  () => new Mark('Channel', 3),
  () => new Mark('Callback', 1),
  () => new Date(0),
  () => /(a+)+$/,
  () => Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner], []),
  () => Array.from({ length: 900 }).reduce<unknown>((inner) => [inner], []),
  () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    return cycle
  },
  () => Array.from({ length: 20_000 }, () => []),
]
