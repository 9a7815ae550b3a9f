// Which gateways a command is for: its own words, else a variable, else one popen.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { tendril } from './command.js'

const popen = `popen//python=${anyInterpreter().command}`
let folder = ''
let file = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-specs-'))
  file = join(folder, 'one.py')
  writeFileSync(file, 'channel.send(1)')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The gateways that a command ran on. */
function gatewaysOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): string[] {
  const { status, stdout, stderr } = tendril(['exec', file, ...args], env)
  expect([status, stderr]).toEqual([0, ''])
  return [...stdout.matchAll(/^\[(\w+)\]/gm)].map(([, id = '']) => id).sort()
}

describe('the gateways of a command', () => {
  it('are those of a hosts file', () => {
    const hosts = join(folder, 'hosts.txt')
    writeFileSync(hosts, `# all of them\n${popen}//id=a\n\n2*${popen}\n`)
    expect(gatewaysOf(['--tx', `@${hosts}`, '--tx', `${popen}//id=z`])).toEqual(['a', 'gw0', 'gw1', 'z'])
  })

  it('are those of TENDRIL_TX, a line or a semicolon between them', () => {
    const TENDRIL_TX = `${popen}//id=a; 2*${popen}\n${popen}//id=b;\n`
    expect(gatewaysOf([], { TENDRIL_TX })).toEqual(['a', 'b', 'gw0', 'gw1'])
  })

  it('are not those of TENDRIL_TX when the command names some', () => {
    expect(gatewaysOf(['--tx', `${popen}//id=mine`], { TENDRIL_TX: 'nonsense' })).toEqual(['mine'])
  })

  it('are one popen when the variable is blank', () => {
    expect(gatewaysOf([], { TENDRIL_TX: ' \n' })).toEqual(['gw0'])
  })

  it.each([
    ['the variable', {}, { TENDRIL_TX: 'popen//pyhton=x' }, 'tendril: TENDRIL_TX: unknown key "pyhton"'],
    ['a file that there is not', { tx: '@/nowhere.txt' }, {}, 'tendril: cannot read the hosts file "/nowhere.txt"'],
    ['a file without a spec', { lines: '# none\n' }, {}, 'tendril: there is no spec in @'],
    ['a line of a file', { lines: 'popen\n\npopen//nice=x\n' }, {}, 'wrong.txt:3: "nice" must be a whole number'],
  ])(
    'exit 2 for a mistake in %s, and name the place',
    (_, { tx, lines }: { tx?: string; lines?: string }, env, text) => {
      const wrong = join(folder, 'wrong.txt')
      if (lines !== undefined) writeFileSync(wrong, lines)
      const words = tx ?? (lines === undefined ? undefined : `@${wrong}`)
      const { status, stdout, stderr } = tendril(['exec', file, ...(words === undefined ? [] : ['--tx', words])], env)
      expect([status, stdout]).toEqual([2, ''])
      expect(stderr).toContain(text)
    },
  )
})
