// Specs from texts and from files: what a line may hold, and how mistakes are told.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group, readSpecs, XSpecError } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-hosts-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function hosts(name: string, ...lines: string[]): string {
  const path = join(folder, name)
  writeFileSync(path, lines.join('\n'))
  return path
}

function complaint(text: string): string {
  try {
    readSpecs([text])
  } catch (error) {
    if (error instanceof XSpecError) return error.message
    throw error
  }
  throw new Error('expected an XSpecError')
}

describe('readSpecs', () => {
  it('reads one spec a line, with counts, and leaves out comments and blank lines', () => {
    const path = hosts(
      'hosts.txt',
      '\uFEFF# the web servers',
      'ssh=-p 2222 anne@web1//id=web1   # the old one',
      '',
      '\t# none today',
      '2*popen//nice=5\r',
      'ssh=web#2',
    )
    expect(readSpecs([`@${path}`, '2*popen', 'ssh=web3']).map(String)).toEqual([
      'ssh=-p 2222 anne@web1//id=web1',
      'popen//nice=5',
      'popen//nice=5',
      'ssh=web#2',
      'popen',
      'popen',
      'ssh=web3',
    ])
  })

  it('finds a file that is named in a file from the folder of that one', () => {
    mkdirSync(join(folder, 'more'))
    hosts('more/inner.txt', '@../innermost.txt')
    hosts('innermost.txt', 'popen//id=innermost')
    expect(readSpecs([`@${hosts('outer.txt', '@more/inner.txt', 'popen')}`]).map(({ id }) => id)).toEqual([
      'innermost',
      undefined,
    ])
  })

  it('names the file and the line of a mistake, through files that name files', () => {
    const path = hosts('wrong.txt', 'popen', '', 'popen//pyhton=python3')
    expect(complaint(`@${path}`)).toMatch(new RegExp(`^${path}:3: unknown key "pyhton" .*did you mean "python"`))
    expect(complaint(`@${hosts('outer2.txt', '@wrong.txt')}`)).toBe(
      `${join(folder, 'outer2.txt')}:1: ${complaint(`@${path}`)}`,
    )
  })

  it('refuses an id that is given twice, and names both lines', () => {
    expect(complaint(`@${hosts('twice.txt', 'popen//id=a', 'popen', 'ssh=b//id=a')}`)).toMatch(
      /twice\.txt:3: id "a" is that of line 1/,
    )
    expect(complaint(`@${hosts('count.txt', '2*popen//id=a')}`)).toMatch(/count\.txt:1: id "a"/)
  })

  it('refuses a file that is not there, a folder, no file, and one that includes itself', () => {
    expect(complaint('@/nowhere/hosts.txt')).toMatch(/cannot read the hosts file "\/nowhere\/hosts\.txt": ENOENT/)
    expect(complaint(`@${folder}`)).toMatch(/EISDIR/)
    expect(complaint('@')).toMatch(/write "@hosts\.txt"/)
    expect(complaint(`@${hosts('loop.txt', '@loop.txt')}`)).toMatch(/loop\.txt:1: .*includes itself/)
  })

  it('is how a group is opened', async () => {
    const { command } = anyInterpreter()
    const path = hosts('local.txt', `2*popen//python=${command}`, `popen//via=c`, `popen//python=${command}//id=c`)
    await using group = await Group.open([`@${path}`])
    expect(group.size).toBe(4)
  })
})
