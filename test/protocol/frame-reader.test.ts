// Chunks to frames: however they are cut, whatever came before, and whatever does not belong there.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import { FrameReader, joinPieces, MAX_NOISE_BYTES } from '../../src/protocol/frame-reader.js'
import { encodeFrame, encodeHeader, Flag, HEADER_BYTES, Kind } from '../../src/protocol/frames.js'
import { bytesOf, concat, cut, textOf } from './pair.js'

const marker = '00112233445566778899aabbccddeeff'
const item = encodeFrame(Kind.DATA, 0, 1, bytesOf('item'))

/** What a reader makes of chunks: its frames, and its noise or its error. */
function read(chunks: readonly Uint8Array[], start?: string): { frames: string[]; noise: string; error?: string } {
  const frames: string[] = []
  const reader = new FrameReader((kind, flags, channel, pieces) => {
    frames.push(`${kind} ${flags} ${channel} ${textOf(joinPieces(pieces))}`)
  }, start)
  try {
    for (const chunk of chunks) reader.push(chunk)
    return { frames, noise: reader.noise }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { frames, noise: reader.noise, error: error.message }
  }
}

describe('frames', () => {
  const stream = concat(
    encodeFrame(Kind.OPEN, 0, 2),
    encodeFrame(Kind.DATA, Flag.MORE, 4294967294, bytesOf('first')),
    encodeFrame(Kind.DATA, 0, 4294967294, bytesOf('')),
    encodeFrame(Kind.OUTPUT, Flag.STDERR, 0, bytesOf('\n')),
  )
  const frames = ['5 0 2 ', '6 1 4294967294 first', '6 0 4294967294 ', '12 8 0 \n']

  it('come out the same for every size of chunk', () => {
    for (let size = 1; size <= stream.length; size++) expect(read(cut(stream, size)).frames).toEqual(frames)
  })

  it('come out the same when the stream is split in two at every byte', () => {
    for (let at = 0; at <= stream.length; at++) {
      expect(read([stream.subarray(0, at), stream.subarray(at)]).frames).toEqual(frames)
    }
  })

  it('come out as soon as their last byte is there, and not before', () => {
    expect(read([item.subarray(0, -1)]).frames).toEqual([])
    expect(read([encodeFrame(Kind.CLOSE, 0, 1)]).frames).toEqual(['11 0 1 '])
  })

  it('are not copied: a payload is a view of the chunks that it came in', () => {
    const pieces: Uint8Array[] = []
    const reader = new FrameReader((_kind, _flags, _channel, some) => pieces.push(...some))
    const chunks = [item.slice(0, 12), item.slice(12)]
    for (const chunk of chunks) reader.push(chunk)
    expect(pieces.map((piece) => piece.buffer)).toEqual(chunks.map((chunk) => chunk.buffer))
  })
})

describe('noise', () => {
  const banner = 'Welcome to build7!\r\nLast login: today\n'

  it('before the marker is skipped and kept, for every size of chunk', () => {
    const stream = concat(bytesOf(banner + marker), item)
    for (let size = 1; size <= stream.length; size++) {
      expect(read(cut(stream, size), marker)).toEqual({ frames: ['6 0 1 item'], noise: banner })
    }
  })

  it.each([
    ['the beginning of a marker', marker.slice(0, 31)],
    ['many beginnings of a marker', marker.slice(0, 16).repeat(5) + marker.slice(0, 5)],
    ['a marker with a wrong end', `${marker.slice(0, 31)}X`],
    ['a frame', textOf(item)],
    ['every byte there is', textOf(Uint8Array.from({ length: 256 }, (_, at) => at))],
  ])('may be %s', (_, noise) => {
    const stream = concat(bytesOf(noise + marker), item)
    for (const size of [1, 7, 16, 31, 32, 33, stream.length]) {
      expect(read(cut(stream, size), marker)).toEqual({ frames: ['6 0 1 item'], noise })
    }
  })

  it('may be 64 KiB long, however it is cut', () => {
    const stream = concat(bytesOf('x'.repeat(MAX_NOISE_BYTES) + marker), item)
    for (const size of [1, 1000, MAX_NOISE_BYTES, MAX_NOISE_BYTES + 1, MAX_NOISE_BYTES + 31, stream.length]) {
      expect(read(cut(stream, size), marker).frames).toEqual(['6 0 1 item'])
    }
  })

  it('of a byte more is an error that quotes its beginning, however it is cut, with a marker behind it or without', () => {
    for (const end of [marker, 'y'.repeat(32)]) {
      const stream = bytesOf(`motd\n${'x'.repeat(MAX_NOISE_BYTES - 4)}${end}`)
      for (const size of [1, 1000, MAX_NOISE_BYTES, stream.length]) {
        expect(read(cut(stream, size), marker).error).toMatch(
          /^more than 65536 bytes .*they begin with "motd\\nx{59}"$/,
        )
      }
    }
  })

  it('is over with the first marker: what looks like one later is the bytes of a frame', () => {
    const second = encodeFrame(Kind.OUTPUT, Flag.STDOUT, 0, bytesOf(marker))
    expect(read([bytesOf(marker), second], marker)).toEqual({ frames: [`12 4 0 ${marker}`], noise: '' })
  })

  it('is waited through without an end of its own: isSynchronized tells', () => {
    const reader = new FrameReader(() => undefined, marker)
    reader.push(bytesOf(marker.slice(0, 31)))
    expect(reader.isSynchronized).toBe(false)
    reader.push(bytesOf('f'))
    expect(reader.isSynchronized).toBe(true)
  })
})

describe('bytes that are no frame', () => {
  it('are an error that quotes them, with what follows', () => {
    const { error } = read([bytesOf('Segmentation fault (core dumped)\n')])
    expect(error).toContain('an unknown kind of frame: 83; the bytes are "Segmentation fault (core dumped)\\n"')
  })

  it('are quoted as far as they have come, 64 at most', () => {
    const text = bytesOf('Traceback (most recent call last):'.padEnd(100, '.'))
    expect(read(cut(text, 1)).error).toContain('"Traceback "')
    expect(read([text]).error).toContain(`"${textOf(text.subarray(0, 64))}"`)
  })

  it('behind a frame do not take it back', () => {
    expect(read([concat(item, bytesOf('oops, a print'))])).toMatchObject({ frames: ['6 0 1 item'] })
  })

  it('are never waited for: a length beyond the limit is refused with the header, before its payload', () => {
    const header = new Uint8Array(HEADER_BYTES)
    encodeHeader(new DataView(header.buffer), 0, Kind.DATA, 0, 1, 2 ** 32 - 1)
    expect(read([header]).error).toContain('a frame of 4294967295 bytes, more than the 1048576 allowed')
  })

  it('stay an error: a reader that has refused them takes nothing more', () => {
    const reader = new FrameReader(() => undefined)
    for (const chunk of [bytesOf('no frame, sorry'), item]) expect(() => reader.push(chunk)).toThrow(ProtocolError)
  })
})

describe('any bytes', () => {
  const frame = fc
    .tuple(fc.constantFrom(...Object.values(Kind)), fc.nat(9), fc.nat(5), fc.uint8Array({ maxLength: 40 }))
    .map(([kind, flags, channel, payload]) => encodeFrame(kind, flags, channel, payload))
  const streams = fc.array(fc.oneof({ weight: 3, arbitrary: frame }, fc.uint8Array()), { maxLength: 6 })

  it('are frames or a ProtocolError, the same whole and byte by byte', () => {
    fc.assert(
      fc.property(streams, fc.integer({ min: 1, max: 64 }), (parts, size) => {
        const [whole, bytewise, sliced] = [[concat(...parts)], cut(concat(...parts), 1), cut(concat(...parts), size)]
        const { frames, error } = read(whole)
        for (const other of [read(bytewise), read(sliced)]) {
          expect(other.frames).toEqual(frames)
          expect(other.error === undefined).toBe(error === undefined)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('joinPieces', () => {
  it('copies only what lies in several pieces', () => {
    const one = bytesOf('one')
    expect(joinPieces([one])).toBe(one)
    expect(textOf(joinPieces([one, bytesOf(''), bytesOf('two')]))).toBe('onetwo')
    expect(joinPieces([])).toEqual(new Uint8Array(0))
  })
})
