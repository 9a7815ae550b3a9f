/**
 * Frames: the header and the kinds (PROTOCOL.md §2). `bootstrap.py` has the same table in its section "frames";
 * `test/vectors/frames.json` holds both to it.
 */

/** The kinds of frame. None is a printable character, so text that strays into the stream is told at its first byte. */
export const Kind = {
  HELLO: 1,
  SETUP: 2,
  PUSH: 3,
  EXEC: 4,
  OPEN: 5,
  DATA: 6,
  CREDIT: 7,
  END: 8,
  CLOSE: 11,
  OUTPUT: 12,
  STATUS: 14,
  TERMINATE: 15,
  BATCH: 16,
  BYTES: 17,
  ASIDE: 18,
  DROPPED: 19,
} as const

/** What a frame's flags may say. */
export const Flag = { MORE: 1, ERROR: 2, STDOUT: 4, STDERR: 8, GIVEN: 16 } as const

/** Whether a frame carries an item or a fragment of one: such frames have a window. */
export function isItem(kind: number): boolean {
  return kind === Kind.DATA || kind === Kind.BYTES
}

/** The version that both ends must speak. */
export const PROTOCOL_VERSION: number = 1
/** Bytes of a header: kind, flags, channel id, payload length. */
export const HEADER_BYTES: number = 10
/** Bytes of payload after which another channel has its turn. */
export const FRAGMENT_BYTES: number = 256 * 1024
/** The longest payload that a frame may announce. */
export const MAX_FRAME_BYTES: number = 1024 * 1024
/** What holding an item costs beside its payload, in bytes of window. */
export const ITEM_OVERHEAD: number = 128
/** Bytes of window of a channel, each way. */
export const WINDOW_BYTES: number = 16 * 1024 * 1024
/** Those of a channel that the worker has opened, until somebody here receives on it. */
export const UNTOUCHED_WINDOW_BYTES: number = 256 * 1024

/** What a header may say for its kind: the flags, and where it is fixed the payload's length. */
interface Rule {
  readonly flags: number
  readonly bytes?: number
}

const rules: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [Kind.HELLO, { flags: 0 }],
  [Kind.SETUP, { flags: 0 }],
  [Kind.PUSH, { flags: Flag.MORE }],
  [Kind.EXEC, { flags: Flag.MORE }],
  [Kind.OPEN, { flags: 0, bytes: 0 }],
  [Kind.DATA, { flags: Flag.MORE }],
  [Kind.CREDIT, { flags: 0, bytes: 4 }],
  [Kind.END, { flags: 0, bytes: 0 }],
  [Kind.CLOSE, { flags: Flag.MORE | Flag.ERROR | Flag.GIVEN }],
  [Kind.OUTPUT, { flags: Flag.STDOUT | Flag.STDERR }],
  [Kind.STATUS, { flags: 0 }],
  [Kind.TERMINATE, { flags: 0, bytes: 4 }],
  [Kind.BATCH, { flags: 0 }],
  [Kind.BYTES, { flags: Flag.MORE }],
  [Kind.ASIDE, { flags: Flag.MORE }],
  [Kind.DROPPED, { flags: 0, bytes: 4 }],
])

/** Says what is wrong with a header, in words for an error; undefined when it may stand. */
export function headerFault(kind: number, flags: number, length: number): string | undefined {
  const rule = rules.get(kind)
  if (rule === undefined) return `an unknown kind of frame: ${kind}`
  if ((flags & ~rule.flags) !== 0) return `flags ${flags} on a frame of kind ${kind}`
  if (length > MAX_FRAME_BYTES) return `a frame of ${length} bytes, more than the ${MAX_FRAME_BYTES} allowed`
  if (rule.bytes !== undefined && length !== rule.bytes) {
    return `a frame of kind ${kind} with ${length} bytes instead of ${rule.bytes}`
  }
  return undefined
}

/** Writes a header at `at`. */
export function encodeHeader(
  target: DataView,
  at: number,
  kind: number,
  flags: number,
  channel: number,
  length: number,
): void {
  target.setUint8(at, kind)
  target.setUint8(at + 1, flags)
  target.setUint32(at + 2, channel)
  target.setUint32(at + 6, length)
}

/** A whole small frame: for control frames, whose payload is a few bytes. */
export function encodeFrame(
  kind: number,
  flags: number,
  channel: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length)
  encodeHeader(new DataView(frame.buffer), 0, kind, flags, channel, payload.length)
  frame.set(payload, HEADER_BYTES)
  return frame
}

/** The payload of CREDIT, DROPPED and TERMINATE: one unsigned 32-bit number. */
export function encodeUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** The number in such a payload. */
export function decodeUint32(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0)
}
