// The stderr of a transport, in which a guard tells what its worker had printed and perhaps not sent.
import { describe, expect, it } from 'vitest'
import { LastWords } from '../../src/gateways/last-words.js'
import { encodeHeader, Flag, HEADER_BYTES, Kind } from '../../src/protocol/frames.js'

const marker = '0123456789abcdef0123456789abcdef'

/** What a guard writes: text of a stream, of which so many bytes came before. */
function rest(flags: number, text: string, before = 0): Buffer {
  const header = new Uint8Array(HEADER_BYTES)
  encodeHeader(new DataView(header.buffer), 0, Kind.OUTPUT, flags, text.length, before)
  return Buffer.concat([Buffer.from(marker), header, Buffer.from(text)])
}

/** What is told of chunks, each stream in one. */
function toldOf(words: LastWords, chunks: readonly Uint8Array[]): { stdout: string; stderr: string } {
  const parts: (readonly [stream: 'stdout' | 'stderr', text: Uint8Array])[] = [
    ...chunks.map((chunk) => ['stderr', words.take(chunk)] as const),
    ...words.rest(),
  ]
  const textOf = (stream: string): string =>
    Buffer.concat(parts.filter(([of]) => of === stream).map(([, text]) => text)).toString('latin1')
  return { stdout: textOf('stdout'), stderr: textOf('stderr') }
}

describe('last words', () => {
  it('are told with the text around them, however they are cut', () => {
    const all = Buffer.concat([
      Buffer.from('a warning 0123\n'),
      rest(Flag.STDOUT, 'out'),
      rest(Flag.STDERR, `err ${marker}\n`),
      Buffer.from('behind'),
    ])
    for (let size = 1; size <= all.length; size++) {
      const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
        all.subarray(at * size, (at + 1) * size),
      )
      expect(toldOf(new LastWords(marker), chunks)).toEqual({
        stdout: 'out',
        stderr: `a warning 0123\nerr ${marker}\nbehind`,
      })
    }
  })

  it.each([
    ['nothing', 100, 100, 'last words'],
    ['a part', 105, 100, 'words'],
    ['all', 110, 100, ''],
    ['a part, beyond what the header counts', 2 ** 32 + 2, 2 ** 32 - 3, 'words'],
  ])('are told once when of them %s has come in frames', (_, came, before, told) => {
    const words = new LastWords(marker)
    words.count('stderr', came)
    words.count('stdout', 7)
    expect(toldOf(words, [rest(Flag.STDERR, 'last words', before)])).toEqual({ stdout: '', stderr: told })
  })

  it('do not hold up what is told before, and may be cut off', () => {
    const words = new LastWords(marker)
    expect(Buffer.from(words.take(Buffer.from('Password: '))).toString()).toBe('Password: ')
    expect(toldOf(words, [rest(Flag.STDERR, 'x').subarray(0, 35)])).toEqual({ stdout: '', stderr: '' })
    expect(toldOf(new LastWords(marker), [rest(Flag.STDERR, 'last words').subarray(0, -6)]).stderr).toBe('last')
  })
})

it('are not cut into more parts than a guard has', () => {
  const words = new LastWords(marker)
  words.take(Buffer.concat(Array.from({ length: 20_000 }, () => rest(Flag.STDERR, ''))))
  expect(words.rest().length).toBeLessThan(2100)
})
