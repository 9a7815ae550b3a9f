/** Frames of RFC 6455, written and read by nobody's library: in every form that the rules allow. */
import { randomBytes } from 'node:crypto'

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

export interface Frame {
  readonly opcode: number
  readonly isFinal: boolean
  /** The key; absent for a frame that is not masked. */
  readonly mask?: Buffer | undefined
  /** As it was before it was masked. */
  readonly payload: Buffer
}

/** How a frame is written: final, masked with a random key, and with the shortest length when nothing else is said. */
export interface FrameForm {
  readonly opcode?: number
  readonly isFinal?: boolean
  readonly mask?: Buffer | undefined
  /** The bytes that the length takes beside its first seven bits. */
  readonly lengthBytes?: 0 | 2 | 8
}

export function encodeFrame(payload: Uint8Array | string, form: FrameForm = {}): Buffer {
  const { opcode = BINARY, isFinal = true } = form
  const mask = 'mask' in form ? form.mask : randomBytes(4)
  const bytes = Buffer.from(payload)
  const { lengthBytes = bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8 } = form
  const head = Buffer.alloc(2 + lengthBytes)
  head[0] = (isFinal ? 0x80 : 0) | opcode
  head[1] = (mask ? 0x80 : 0) | (lengthBytes === 0 ? bytes.length : lengthBytes === 2 ? 126 : 127)
  if (lengthBytes === 2) head.writeUInt16BE(bytes.length, 2)
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(bytes.length), 2)
  return Buffer.concat(mask ? [head, mask, masked(bytes, mask)] : [head, bytes])
}

/** Reads frames from chunks, and refuses what the rules do not allow. */
export class FrameParser {
  #bytes = Buffer.alloc(0)
  #isInMessage = false

  /** @returns The frames that are complete now. */
  push(chunk: Uint8Array): Frame[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    const frames: Frame[] = []
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame)
    return frames
  }

  #take(): Frame | undefined {
    const [first = 0, second = 0] = this.#bytes
    const lengthBytes = (second & 127) === 126 ? 2 : (second & 127) === 127 ? 8 : 0
    const head = 2 + lengthBytes + (second & 128 ? 4 : 0)
    if (this.#bytes.length < head) return undefined
    const length =
      lengthBytes === 0
        ? second & 127
        : lengthBytes === 2
          ? this.#bytes.readUInt16BE(2)
          : Number(this.#bytes.readBigUInt64BE(2))
    if (this.#bytes.length < head + length) return undefined
    const mask = second & 128 ? this.#bytes.subarray(head - 4, head) : undefined
    const payload = this.#bytes.subarray(head, head + length)
    this.#bytes = this.#bytes.subarray(head + length)
    const frame = { opcode: first & 15, isFinal: (first & 128) !== 0, mask, payload: masked(payload, mask) }
    this.#check(frame, first)
    return frame
  }

  #check({ opcode, isFinal, payload }: Frame, first: number): void {
    const isControl = opcode >= CLOSE
    const isKnown = [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].includes(opcode)
    if ((first & 0x70) !== 0 || !isKnown) throw new Error(`no frame begins with ${first}`)
    if (isControl && (!isFinal || payload.length > 125)) throw new Error(`a control frame of ${payload.length} bytes`)
    if (isControl) return
    if ((opcode === CONTINUATION) !== this.#isInMessage) throw new Error(`opcode ${opcode} stands in a wrong place`)
    this.#isInMessage = !isFinal
  }
}

function masked(payload: Buffer, mask: Buffer | undefined): Buffer {
  return mask === undefined ? payload : (payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)) as Buffer)
}
