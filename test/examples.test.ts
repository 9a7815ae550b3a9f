// Every example runs as a user runs it, and does what its first lines say.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { matches, type Outcome, root, run } from './code-blocks.js'

const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.mjs'))

function example(name: string, args: readonly string[] = [], env: Record<string, string> = {}): Promise<Outcome> {
  return run(process.execPath, [`examples/${name}`, ...args], env)
}

/** The cells of the table, a record a row. */
function tableOf({ lines: [header = '', ...rows] }: Outcome): Record<string, string>[] {
  const names = header.split(/ {2,}/)
  return rows.map((row) => Object.fromEntries(row.split(/ {2,}/).map((cell, index) => [names[index], cell])))
}

describe('01-sysinfo', () => {
  it('prints a row for each of three Pythons', async () => {
    const outcome = await example('01-sysinfo.mjs')
    const table = tableOf(outcome)
    expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: 0, stderr: '' })
    expect(table.map(({ gateway }) => gateway).sort()).toEqual(['gw0', 'gw1', 'gw2'])
    expect(new Set(table.map(({ pid }) => pid)).size).toBe(3)
    for (const { python, executable, ms } of table) {
      expect(python).toMatch(/^\d+\.\d+\.\d+/)
      expect(executable).toMatch(/py/)
      expect(Number(ms)).toBeGreaterThan(0)
    }
  })

  it('aligns its columns', async () => {
    const { lines } = await example('01-sysinfo.mjs', ['--tx', 'popen//id=a', '--tx', 'popen//id=a-long-name'])
    const starts = lines.map((line) => line.split(/ {2,}/)[0]?.length).sort()
    expect(starts).toEqual([1, 'a-long-name'.length, 'gateway'.length].sort())
    expect(new Set(lines.map((line) => /^\S+ {2,}/.exec(line)?.[0].length)).size).toBe(1)
  })

  it('prints the others when one gateway fails, and says in one line why', async () => {
    const outcome = await example('01-sysinfo.mjs', [
      '--tx',
      '2*popen',
      '--tx',
      'popen//id=bad//python=/no/such/python',
    ])
    expect(outcome.code).toBe(3)
    expect(tableOf(outcome)).toHaveLength(2)
    expect(outcome.stderr).toMatch(/^gateway bad .*"\/no\/such\/python" does not exist.*\n$/)
  })

  it('says what it looked for where there is no Python', async () => {
    const { code, lines, stderr } = await example('01-sysinfo.mjs', [], { PATH: join(root, 'examples') })
    expect({ code, lines }).toEqual({ code: 3, lines: [] })
    expect(stderr).toMatch(/^no Python was found: looked for python3 and python on PATH\..*\n$/)
  })

  it.each([
    [['--tx', 'popen//pyton=python3'], /^unknown key "pyton".*did you mean "python"\?\n$/],
    [['--tx', 'popen//id=a', '--tx', 'popen//id=a'], /^already have a gateway with id "a".*\n$/],
    [['--tx', 'python=python3'], /^no kind of gateway in "python=python3".*\n$/],
    [['--frob'], /^Unknown option '--frob'/],
  ])('refuses %j with exit code 2', async (args, message) => {
    const { code, lines, stderr } = await example('01-sysinfo.mjs', args)
    expect({ code, lines }).toEqual({ code: 2, lines: [] })
    expect(stderr).toMatch(message)
  })
})

const printed = new Map<string, readonly string[]>([
  [
    '02-both-ways.mjs',
    [
      'What is your name?',
      'How many bells, tendril?',
      ...['ding', 'ding', 'ding'],
      '4 9 16 | squaring 2, squaring 3, squaring 4',
      'hello from a channel that Python made',
    ],
  ],
  ['03-gather.mjs', ['9592 primes below 100000', ...['gw0', 'gw1', 'gw2'].map((id) => `${id} did … of 20 pieces`)]],
  [
    '04-errors.mjs',
    [
      'anne: 3.5',
      'ERR_REMOTE: ZeroDivisionError: division by zero',
      "  broken.py:10 in report: channel.send('%s: %s' % (name, average(numbers)))",
      '  broken.py:5 in average: return sum(numbers) / len(numbers)',
      'Traceback (most recent call last):',
      'ERR_DUMP: at item.users[1].secret',
      'ERR_TIMEOUT: no item on channel … after 50 ms',
      'still usable',
      'ERR_GATEWAY_CLOSED: SIGKILL',
      'killed',
    ],
  ],
  [
    '05-via.mjs',
    [
      'inner is a child of outer: true',
      'inner is reached through: outer',
      '[inner] stdout: printed by Python',
      '[inner] stdout: printed by a child process',
      '[inner] stderr: a warning',
      'you will have to kill me',
      'killed: inner by SIGKILL',
      'outer: terminated, inner: killed',
    ],
  ],
  [
    '06-hot-sync.mjs',
    ['written: a.py, b.py, c.py | removed: -', 'written: b.py | removed: c.py', 'written: - | removed: -'],
  ],
  [
    '07-listings.mjs',
    [
      ...['1. what machine is that?', 'true true'],
      ...['2. the same asked of two Pythons at once', '2'],
      ...['3. a function of a module that only one of us has, with keyword arguments', '2500'],
      ...['4. a line of Python with values of ours in it', "[ 'Ada', 'Grace' ]"],
      ...['5. code that stays, and what it prints', '7 Hello from over there'],
      ...['6. a server of theirs, reached as if it were ours', 'served by Python'],
      ...['7. a call that takes long, and is not waited for', 'AbortError', '1'],
      ...['8. a service: two functions may be called, and nothing else', '4100 false'],
      ...['9. the other way: Python calls us', 'user 7'],
    ],
  ],
  [
    '08-session.mjs',
    [
      ...['# functions', 'python3', 'a/b/c', '{"a": [1, 2.5, null, true]}'],
      ...['# constants', '3.1415926536', 'abcdefghijklmnopqrstuvwxyz'],
      ...['# objects', "2 2 OrderedDict(2) [Map] { 'one' => 1, 'two' => 2 }"],
      ...['# attributes', '2009 2009-06-30 Tuesday'],
      ...['# builtins', '[ 3, 2, 1 ]', '1267650600228229401496703205376n true', '14'],
      ...['# operators', '42 2', '7/1 49/9 true'],
      ...['# arithmetic with dates', '6705', '2009-07-30'],
    ],
  ],
  ['09-xml-count.mjs', ['4', '8', 'FileNotFoundError: No such file or directory', '…']],
])

describe('examples', () => {
  it.each([...printed])('%s prints what it is to print', async (name, expected) => {
    const { code, lines, stderr } = await example(name)
    const differs = lines.length !== expected.length || expected.some((line, index) => !matches(line, lines[index]))
    expect({ code, stderr, lines: differs ? lines : expected }).toEqual({ code: 0, stderr: '', lines: expected })
  })

  it('03-gather gives every piece to exactly one gateway', async () => {
    const { lines } = await example('03-gather.mjs')
    const pieces = lines.slice(1).map((line) => Number(/did (\d+) of/.exec(line)?.[1]))
    expect(pieces.reduce((sum, count) => sum + count)).toBe(20)
    expect(Math.min(...pieces)).toBeGreaterThan(0)
  })

  it('are all run by this file', () => {
    expect(examples).toEqual(['01-sysinfo.mjs', ...printed.keys()])
  })

  it.each(examples)('%s has no more than 80 lines', (name) => {
    expect(readFileSync(join(root, 'examples', name), 'utf8').split('\n').length).toBeLessThanOrEqual(80)
  })
})
