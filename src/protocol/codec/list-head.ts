/**
 * Where the members of a pickled list begin. Nothing is made of them: each opcode is passed with its operand, and of what it would leave on
 * the stack only the place is kept where that began. So a list of which one member cannot be read can be cut off ahead of that.
 */
import * as op from './opcodes.js'

/** Bytes of an operand: so many, or text and bytes with their length ahead in so many bytes, or so many lines. */
interface Operand {
  readonly size?: number
  readonly lengthSize?: number
  readonly lines?: number
}

/** How many things an opcode takes from the stack, and whether it leaves one in their place. */
interface Effect {
  /** Down to the last mark: all above it. */
  readonly takes: number | 'marked'
  readonly gives: boolean
}

const NOTHING: Operand = {}
const sized = (size: number): Operand => ({ size })
const withLength = (lengthSize: number): Operand => ({ lengthSize })
const row = (takes: Effect['takes'], gives: boolean, operand = NOTHING): Effect & Operand => ({
  takes,
  gives,
  ...operand,
})

const rows = new Map<number, Effect & Operand>([
  ...[op.NONE, op.NEWTRUE, op.NEWFALSE].map((code) => [code, row(0, true)] as const),
  ...[op.EMPTY_LIST, op.EMPTY_TUPLE, op.EMPTY_DICT, op.EMPTY_SET, op.DUP].map((code) => [code, row(0, true)] as const),
  ...[op.BININT1, op.BINGET].map((code) => [code, row(0, true, sized(1))] as const),
  ...[op.BININT, op.LONG_BINGET].map((code) => [code, row(0, true, sized(4))] as const),
  [op.BININT2, row(0, true, sized(2))],
  [op.BINFLOAT, row(0, true, sized(8))],
  ...[op.SHORT_BINUNICODE, op.SHORT_BINSTRING, op.SHORT_BINBYTES, op.LONG1].map(
    (code) => [code, row(0, true, withLength(1))] as const,
  ),
  ...[op.BINUNICODE, op.BINSTRING, op.BINBYTES, op.LONG4].map((code) => [code, row(0, true, withLength(4))] as const),
  ...[op.BINUNICODE8, op.BINBYTES8, op.BYTEARRAY8].map((code) => [code, row(0, true, withLength(8))] as const),
  ...[op.INT, op.LONG].map((code) => [code, row(0, true, { lines: 1 })] as const),
  [op.GLOBAL, row(0, true, { lines: 2 })],
  [op.PROTO, row(0, false, sized(1))],
  [op.FRAME, row(0, false, sized(8))],
  [op.MEMOIZE, row(0, false)],
  [op.BINPUT, row(0, false, sized(1))],
  [op.LONG_BINPUT, row(0, false, sized(4))],
  [op.POP, row(1, false)],
  [op.APPEND, row(1, false)],
  [op.SETITEM, row(2, false)],
  [op.BINPERSID, row(1, true)],
  [op.TUPLE1, row(1, true)],
  ...[op.TUPLE2, op.STACK_GLOBAL, op.REDUCE].map((code) => [code, row(2, true)] as const),
  [op.TUPLE3, row(3, true)],
  ...[op.APPENDS, op.SETITEMS, op.ADDITEMS, op.POP_MARK].map((code) => [code, row('marked', false)] as const),
  ...[op.TUPLE, op.FROZENSET].map((code) => [code, row('marked', true)] as const),
])

/**
 * The payload of the members of a list that are complete before a byte.
 *
 * @param at - Behind what cannot be read.
 * @returns Undefined for what is no list, and when there is no such member.
 */
export function headOfList(payload: Uint8Array, at: number): Uint8Array | undefined {
  const cut = findCut(payload, at)
  if (cut === undefined) return undefined
  const end = cut.isMarked ? [op.APPENDS, op.STOP] : [op.STOP]
  const head = new Uint8Array(cut.at + end.length)
  head.set(payload.subarray(0, cut.at))
  head.set(end, cut.at)
  const frame = cut.frames.filter((start) => start < cut.at).at(-1)
  if (frame !== undefined) new DataView(head.buffer).setBigUint64(frame + 1, BigInt(head.length - frame - 9), true)
  return head
}

interface Cut {
  readonly at: number
  /** It is behind the mark of members that are put into the list together. */
  readonly isMarked: boolean
  /** Where frames begin, the one that it is in among them. */
  readonly frames: readonly number[]
}

function findCut(payload: Uint8Array, end: number): Cut | undefined {
  const starts: number[] = [] // of what is on the stack
  const marks: { readonly size: number; readonly at: number }[] = []
  let cut: Cut | undefined
  let members = 0
  const frames: number[] = []
  for (let at = 0; at < payload.length; ) {
    const code = payload[at] ?? 0
    // Now it is known what the members on the stack are; the first one of all has none ahead of it.
    const isMarked = code === op.APPENDS && marks.length === 1 && marks[0]?.size === 1
    if (isMarked || (code === op.APPEND && marks.length === 0 && starts.length === 2)) {
      for (const start of starts.slice(1)) if (members++ > 0 && start < end) cut = { at: start, isMarked, frames }
      if (at >= end) return cut
    }
    if (code === op.STOP) return cut
    if (code === op.FRAME) frames.push(at)
    const row = rows.get(code)
    if (code === op.MARK) marks.push({ size: starts.length, at })
    else if (row === undefined || !pass(starts, marks, row, at)) return undefined
    at += 1 + (row === undefined ? 0 : operandBytes(payload, at + 1, row))
  }
  return undefined
}

/** What an opcode does to the places on the stack; false when they are not there. */
function pass(
  starts: number[],
  marks: { readonly size: number; readonly at: number }[],
  { takes, gives }: Effect,
  at: number,
): boolean {
  const mark = takes === 'marked' ? marks.pop() : undefined
  const size = takes === 'marked' ? mark?.size : starts.length - takes
  if (size === undefined || size < (marks.at(-1)?.size ?? 0)) return false
  const start = mark?.at ?? starts[size] ?? at
  starts.length = size
  if (gives) starts.push(start)
  return true
}

function operandBytes(payload: Uint8Array, at: number, { size = 0, lengthSize = 0, lines = 0 }: Operand): number {
  let length = 0
  for (let i = Math.min(lengthSize, 6) - 1; i >= 0; i--) length = length * 256 + (payload[at + i] ?? 0)
  let end = at
  for (let line = 0; line < lines; line++) end = payload.indexOf(0x0a, end) + 1 || payload.length
  return size + lengthSize + length + (end - at)
}
