// The header and the kinds, held to the file that bootstrap.py is held to as well.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as frames from '../../src/protocol/frames.js'
import { interpreters } from '../interpreters.js'

const { encodeFrame, encodeHeader, encodeUint32, Flag, headerFault, Kind, MAX_FRAME_BYTES } = frames
const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const vectorsPath = pathOf('../vectors/frames.json')
const vectors = JSON.parse(readFileSync(vectorsPath, 'utf8')) as Vectors // our own file

interface Vectors {
  readonly constants: Readonly<Record<string, number>>
  readonly kinds: Readonly<Record<string, number>>
  readonly flags: Readonly<Record<string, number>>
  readonly frames: readonly {
    name: string
    kind: number
    flags: number
    channel: number
    payload: string
    bytes: string
  }[]
  readonly refused: readonly { name: string; kind: number; flags: number; length: number; fault: string }[]
}

describe('the frames of both languages', () => {
  it('have the numbers of frames.json in TypeScript', () => {
    const { VERSION, ...constants } = vectors.constants
    expect(frames).toMatchObject({ PROTOCOL_VERSION: VERSION, ...constants })
    expect(Kind).toEqual(vectors.kinds)
    expect(Flag).toEqual(vectors.flags)
  })

  it.each(vectors.frames)('$name is the same bytes as in frames.json', ({ kind, flags, channel, payload, bytes }) => {
    const content = Buffer.from(payload, 'hex')
    expect(Buffer.from(encodeFrame(kind, flags, channel, content)).toString('hex')).toBe(bytes)
    expect(headerFault(kind, flags, content.length)).toBeUndefined()
  })

  it.each(interpreters())('have the numbers and bytes of frames.json in bootstrap.py on $name', ({ command }) => {
    const args = [pathOf('../fixtures/frames.py'), pathOf('../../bootstrap.py'), vectorsPath]
    const report: unknown = JSON.parse(execFileSync(command, args, { encoding: 'utf8' }))
    expect(report).toEqual({ checked: vectors.frames.length, faults: [] })
  })
})

describe('headerFault', () => {
  it.each(vectors.refused)('refuses $name: $fault', ({ kind, flags, length, fault }) => {
    expect(headerFault(kind, flags, length)).toBe(fault)
  })

  it('takes the longest payload that is allowed', () => {
    expect(headerFault(Kind.DATA, 0, MAX_FRAME_BYTES)).toBeUndefined()
  })

  it('knows no kind that is a printable character, a tab or the end of a line', () => {
    const printable = [9, 10, 13, ...Array.from({ length: 95 }, (_, at) => 32 + at)]
    expect(printable.filter((kind) => headerFault(kind, 0, 0) === undefined)).toEqual([])
  })

  it('knows every kind that PROTOCOL.md §2 lists, by its number, and no other', () => {
    const page = readFileSync(pathOf('../../PROTOCOL.md'), 'utf8')
    const rows = page.matchAll(/^\| (\d+) \| ([A-Z]+) \|/gm)
    expect(Object.fromEntries([...rows].map(([, kind, name]) => [name, Number(kind)]))).toEqual(Kind)
  })
})

describe('encoding', () => {
  it('writes a header where it is told to, and nothing beside it', () => {
    const bytes = new Uint8Array(14).fill(0xee)
    encodeHeader(new DataView(bytes.buffer), 2, Kind.DATA, Flag.MORE, 0x01020304, 0x0a0b0c)
    expect(Buffer.from(bytes).toString('hex')).toBe('eeee060101020304000a0b0ceeee')
  })

  it('writes numbers up to the highest of 32 bits', () => {
    expect(encodeUint32(2 ** 32 - 1)).toEqual(Uint8Array.of(255, 255, 255, 255))
    expect(encodeUint32(2000)).toEqual(Uint8Array.of(0, 0, 7, 208))
  })
})
