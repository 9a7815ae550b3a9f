// `tendril exec` in scripts: arguments, a source on standard input, lines for programs, and readers that go.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url))
const tx = ['--tx', `popen//python=${anyInterpreter().command}//id=gw`]
const folder = mkdtempSync(join(tmpdir(), 'tendril-'))
afterAll(() => rmSync(folder, { recursive: true }))

function tendril(
  args: readonly string[],
  input: string | Uint8Array = '',
): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [bin, ...args], { input, encoding: 'utf8' })
}

it('gives the file what stands behind it, but for options of its own', () => {
  const file = join(folder, 'argv.py')
  writeFileSync(file, 'import sys\nchannel.send(sys.argv)\n')
  const { stdout } = tendril(['exec', '--json', ...tx, file, 'one', '-x'])
  expect(JSON.parse(stdout)).toEqual({ gateway: 'gw', item: [file, 'one', '-x'] })
  const behind = tendril(['exec', file, '--json', ...tx, '--', '--tx', 'x'])
  expect(JSON.parse(behind.stdout).item).toEqual([file, '--tx', 'x'])
  expect(JSON.parse(tendril(['exec', '--json', ...tx, file]).stdout).item).toEqual([file])
})

it('runs what comes on standard input, whose failures show its lines', () => {
  const { stdout, stderr, status } = tendril(
    ['exec', '--no-tag', ...tx, '-', 'x'],
    'print("printed")\nraise ValueError("no")',
  )
  expect([stdout, status]).toEqual(['printed\n', 1])
  expect(stderr).toContain('File "<stdin>", line 2, in <module>\n    raise ValueError("no")')
})

it('prints every item that there is as JSON, one that contains itself too, and goes on behind it', () => {
  const source = `
import datetime
from decimal import Decimal
item = [2 ** 70, b'ab\\xff', {(1, 2): None, 1: 2}, {3}, datetime.date(2020, 1, 2), Decimal('1.10')]
item.append(item)
channel.send(item)
channel.send(channel)
channel.send('last')`
  const { stdout, status } = tendril(['exec', '--json', ...tx, '-'], source)
  const item = '[1180591620717411303424,"YWL/",{"1,2":null,"1":2},[3],"2020-01-02","1.10","[Circular]"]'
  const lines = [item, '"channel 1"', '"last"'].map((each) => `{"gateway":"gw","item":${each}}`)
  expect([stdout.trimEnd().split('\n'), status]).toEqual([lines, 0])
})

// One rule for a file and for standard input, that of Python (PEP 263).
it.each([
  ['in UTF-8 with a mark', Buffer.from('\uFEFFitem = u"é"'), 'é'],
  ['in what it declares', Buffer.from('# coding: latin-1\nitem = u"é"', 'latin1'), 'é'],
  ['in what it declares, though that is UTF-8 as well', Buffer.from('# coding: latin-1\nitem = u"é"'), 'Ã©'],
])('reads what is %s', (_, bytes, item) => {
  const source = Buffer.concat([
    bytes,
    Buffer.from('\nimport sys\nchannel.send([item, sys.argv, globals().get("__file__")])'),
  ])
  const file = join(folder, 'encoded.py')
  writeFileSync(file, source)
  const itemOf = (...args: Parameters<typeof tendril>): unknown => JSON.parse(tendril(...args).stdout).item
  expect(itemOf(['exec', '--json', ...tx, file, 'x'])).toEqual([item, [file, 'x'], file])
  expect(itemOf(['exec', '--json', ...tx, '-', 'x'], source)).toEqual([item, ['-', 'x'], null])
})

it('says what it cannot read', () => {
  const { stderr, status } = tendril(['exec', ...tx, '-'], Buffer.from('channel.send("\xe9")', 'latin1'))
  expect([stderr, status]).toEqual([
    expect.stringContaining('cannot read <stdin>: byte 0xe9 at offset 14, in line 1'),
    2,
  ])
})

it.skipIf(process.platform === 'win32').each([
  ['a folder', '< /', 'it is a folder'],
  ['open for writing only', `0> "${join(folder, 'written')}"`, 'EBADF: bad file descriptor, read'],
])('says in one line that it cannot read standard input that is %s, as the prompt does', (_, input, why) => {
  const run = (...words: string[]): ReturnType<typeof tendril> =>
    spawnSync('sh', ['-c', `"$0" "$@" ${input}`, process.execPath, bin, ...words], { encoding: 'utf8' })
  const told = { stdout: '', stderr: `tendril: cannot read standard input: ${why}\n`, status: 2 }
  expect([run('exec', ...tx, '-'), run('repl', ...tx.slice(1))]).toMatchObject([told, told])
})

it('is interrupted while it waits for what somebody types', async () => {
  const child = spawn(process.execPath, [bin, 'exec', ...tx, '-'], { stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = once(child, 'close')
  // More than fits in between: all of it is written when most of it was read.
  await new Promise((resolve) => child.stdin.write('#'.repeat(4_000_000), resolve))
  child.kill('SIGINT')
  expect(await ended).toEqual([130, null])
})

it.skipIf(process.platform === 'win32')(
  'ends quietly when its reader has gone, and with a line when the disk is full',
  () => {
    const source = 'for i in range(100000): channel.send(i)'
    const run = (end: string): ReturnType<typeof tendril> =>
      spawnSync('bash', ['-c', `"$0" "$@" ${end}`, process.execPath, bin, 'exec', ...tx, '-'], {
        input: source,
        encoding: 'utf8',
      })
    expect(run('| head -1')).toMatchObject({ stdout: '[gw] 0\n', stderr: '', status: 0 })
    const full = run('> /dev/full')
    expect([full.stderr.trimEnd().split('\n').length, full.status]).toEqual([1, 1])
  },
)
