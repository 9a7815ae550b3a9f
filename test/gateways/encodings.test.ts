// Sources that are files of whatever encoding: what arrives is the program that the file is.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { remoteErrorOf } from '../failing.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-encodings-'))
const group = new Group()
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

/** A file with these bytes, one character each. */
function fileOf(name: string, bytes: string): string {
  const file = join(folder, name)
  writeFileSync(file, Buffer.from(bytes, 'latin1'))
  return file
}

const PROGRAM = "text, native = u'\xe9\x80', 'caf\xe9'\ndef get(told=repr([text, native])): return told\n"
const utf8 = Buffer.from(PROGRAM, 'utf8').toString('latin1')
const files: readonly (readonly [string, string])[] = [
  ['latin-1', `# -*- coding: latin-1 -*-\n${PROGRAM}`],
  ['cp1252 in the second line', `#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n${PROGRAM}`],
  ['koi8-r', `# coding=koi8-r\n${PROGRAM}`],
  ['cp437, with CRLF', `# coding: cp437\r\n${PROGRAM.replaceAll('\n', '\r\n')}`],
  ['utf-8 that is declared', `# coding: utf8\n${utf8}`],
  ['utf-8 with a mark', `\xef\xbb\xbf${utf8}`],
  ['a mark and its declaration', `\xef\xbb\xbf# coding: utf-8\n${utf8}`],
  ['a declaration in the third line', `\n\n# coding: latin-1\n# coding: latin-1\n${utf8}`],
]

describe.each(pythons)('$name', ({ name: python, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it.each(files)('runs a file in %s as Python does', async (name, bytes) => {
    const file = fileOf(`${name.replaceAll(' ', '_')}.py`, bytes)
    const expected = spawnSync(command, ['-c', `import runpy; print(runpy.run_path(r"${file}")["get"]())`], {
      encoding: 'utf8',
      env: { PYTHONIOENCODING: 'utf-8' },
    }).stdout.trim()
    // Python 2 takes what declares nothing for ASCII; here it is UTF-8, as in Python 3.
    const isSaid = python !== 'CPython 2.7' || name !== 'a declaration in the third line'
    await gateway.execute({ file })
    const told = [await gateway.call('get')]
    told.push(await gateway.remoteExec({ file: fileOf('task.py', `${bytes}channel.send(get())`) }).receive())
    await using service = await gateway.service<{ get(): string }>(file, { expose: ['get'] })
    told.push(await service.get())
    if (isSaid) expect(told).toEqual([expected, expected, expected])
    else expect(new Set(told).size).toBe(1)
  })

  it('shows the lines of such a file in tracebacks', async () => {
    const file = fileOf('failing.py', "# coding: latin-1\nraise ValueError(u'\xe9')\n")
    const { frames, args } = await remoteErrorOf(gateway.remoteExec({ file }).waitClose())
    expect([frames.at(-1)?.text, args[0]]).toEqual(["raise ValueError(u'\xe9')", '\xe9'])
  })

  it('takes a declaration in what is text for a comment', async () => {
    const text = "# coding: latin-1\nchannel.send(u'\xe9\u20ac')"
    expect(await gateway.remoteExec({ text }).receive()).toBe('\xe9\u20ac')
    await gateway.execute({ text: "# coding: latin-1\nword = u'\xe9\u20ac'" })
    expect(await gateway.eval("# coding: ascii\nword + u'\xe9'")).toBe('\xe9\u20ac\xe9')
  })

  it('leaves it to Python to refuse what contradicts itself, and what it does not know', async () => {
    for (const bytes of ['\xef\xbb\xbf# coding: latin-1\n', '# coding: nonesuch\n']) {
      const { type } = await remoteErrorOf(gateway.remoteExec({ file: fileOf('refused.py', bytes) }).waitClose())
      expect(type).toBe('SyntaxError')
    }
  })
})

describe('a file that is not UTF-8 and does not say so', () => {
  it.each([
    ['caf\xe9 = 1\n', 'byte 0xe9 at offset 3, in line 1, is not UTF-8, and no encoding is declared'],
    ['# coding: utf-8\nx\n\xef\xbf', 'byte 0xef at offset 18, in line 3, is not UTF-8, which is declared (utf-8)'],
  ])('is refused, with the place of its first byte', async (bytes, message) => {
    const gateway = await group.makeGateway()
    const file = fileOf('unreadable.py', bytes)
    expect(() => gateway.remoteExec({ file })).toThrow(`cannot read ${file}: ${message}`)
    await expect(gateway.execute({ file })).rejects.toThrow(message)
    await expect(gateway.service(file, { expose: ['f'] as never[] })).rejects.toThrow(message)
  })
})
