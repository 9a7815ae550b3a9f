// What remote code prints: complete, in order, tagged, there before the channel closes, and never in the protocol's way.
import { expect, it } from 'vitest'
import { until } from '../waiting.js'
import type { Subject } from './subject.js'

export function outputSuite(subject: Subject): void {
  /** The lines that code printed until its channel closed. */
  const linesOf = async (source: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<string[]> => {
    // What a task before left undone could print, and a line would not be this one's alone.
    await until(async () => (await subject.gateway.remoteStatus()).numExecuting === 0)
    const before = subject.lines.length
    await subject.gateway
      .remoteExec(`from __future__ import print_function\nimport os, subprocess, sys\n${source}`)
      .waitClose()
    return subject.lines
      .slice(before)
      .filter((line) => line.stream === stream)
      .map(({ text }) => text)
  }

  it('delivers prints before the channel closes, the last line without its end too', async () => {
    expect(await linesOf('print("one"); print("two", end="")')).toEqual(['one', 'two'])
  })

  it('tags lines with gateway, channel and stream', async () => {
    await using gateway = await subject.open()
    const channel = gateway.remoteExec('import sys; sys.stderr.write("oops\\n")')
    await channel.waitClose()
    expect(subject.lines.at(-1)).toEqual({ gateway: gateway.id, channel: channel.id, stream: 'stderr', text: 'oops' })
  })

  it('delivers what is written to the file descriptors', async () => {
    expect(await linesOf('os.write(1, b"raw\\n")')).toEqual(['raw'])
    expect(await linesOf('os.write(2, b"raw\\n")', 'stderr')).toEqual(['raw'])
  })

  it('delivers what child processes print', async () => {
    expect(await linesOf('subprocess.check_call(["sh", "-c", "echo child; echo error >&2"])')).toEqual(['child'])
    expect(await linesOf('subprocess.check_call(["sh", "-c", "echo child; echo error >&2"])', 'stderr')).toEqual([
      'error',
    ])
  })

  it('delivers what C prints', async () => {
    expect(
      await linesOf('import ctypes; ctypes.CDLL(None).printf(b"from C\\n"); ctypes.CDLL(None).fflush(None)'),
    ).toEqual(['from C'])
    expect(await linesOf('import ctypes; ctypes.CDLL(None).printf(b"unflushed\\n")')).toEqual(['unflushed'])
  })

  it('keeps characters beyond ASCII', async () => {
    expect(
      await linesOf(
        'print(u"\\xe9\\U0001f600") if sys.version_info[0] > 2 else os.write(1, u"\\xe9\\U0001f600\\n".encode("utf-8"))',
      ),
    ).toEqual(['é😀'])
  })

  it('keeps byte order marks, wherever they stand', async () => {
    const mark = 'b"\\xef\\xbb\\xbf"'
    expect(await linesOf(`os.write(1, ${mark} + b"one\\n" + ${mark} + b"t" + ${mark} + b"wo\\n")`)).toEqual([
      '\ufeffone',
      '\ufefft\ufeffwo',
    ])
  })

  it('delivers what is written to the first streams when they have been replaced', async () => {
    const source = `
import io
first, second = sys.stdout, sys.__stderr__
sys.stdout = sys.stderr = io.StringIO()
sys.__stdout__.write('by its name, ')
first.write('by a reference')
second.write('in stderr')
sys.stdout, sys.stderr = first, second
sys.stdout = io.StringIO()
`
    const before = subject.lines.length
    await subject.gateway.remoteExec(`import os, sys\n${source}`).waitClose()
    await subject.gateway.remoteExec('import sys; sys.stdout = sys.__stdout__').waitClose()
    expect(
      subject.lines
        .slice(before)
        .map(({ stream, text }) => `${stream}: ${text}`)
        .sort(),
    ).toEqual(['stderr: in stderr', 'stdout: by its name, by a reference'])
  })

  it('delivers what was printed before a failure', async () => {
    const before = subject.lines.length
    await expect(
      subject.gateway.remoteExec('import sys; sys.stdout.write("so far"); raise ValueError').waitClose(),
    ).rejects.toThrow('ValueError')
    expect(subject.lines.slice(before).map(({ text }) => text)).toEqual(['so far'])
  })

  it('gives an empty stdin', async () => {
    const channel = subject.gateway.remoteExec('import os, sys; channel.send([sys.stdin.read(), len(os.read(0, 10))])')
    expect(await channel.receive()).toEqual(['', 0])
    await channel.waitClose()
  })

  it('delivers thousands of lines complete and in order', async () => {
    const lines = await linesOf('for i in range(20000): print("%06d" % i, "x" * 60)')
    expect(lines.length).toBe(20_000)
    expect(lines.every((line, index) => line === `${String(index).padStart(6, '0')} ${'x'.repeat(60)}`)).toBe(true)
  })

  it('passes on while the code runs', async () => {
    const channel = subject.gateway.remoteExec(
      'import sys; sys.stdout.write("now\\n"); sys.stdout.flush(); channel.receive()',
    )
    while (subject.lines.at(-1)?.text !== 'now') await subject.gateway.remoteStatus()
    expect(channel.isClosed).toBe(false)
    await channel.close()
  })

  it('takes no harm from code that replaces or closes the streams', async () => {
    await subject.gateway
      .remoteExec('import sys; kept = sys.stdout, sys.stderr; sys.stdout = None; sys.stderr = 7')
      .waitClose()
    const source = 'import os, sys; sys.stdout = sys.stderr = os.fdopen(os.dup(1), "w"); sys.stdout.write("again\\n")'
    const before = subject.lines.length
    await subject.gateway.remoteExec(source).waitClose()
    expect(subject.lines.slice(before).map(({ text }) => text)).toEqual(['again'])
  })
}
