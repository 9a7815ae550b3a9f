// The command line as a user runs it: what it prints and what it exits with.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { until } from '../waiting.js'
import { bin, tendril } from './command.js'

const greeting = fileURLToPath(new URL('../fixtures/sends_and_prints.py', import.meta.url))
const failing = fileURLToPath(new URL('../fixtures/raises_on_line_3.py', import.meta.url))
const popen = `popen//python=${anyInterpreter().command}`
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('tendril exec', () => {
  it('prints each item and each line, tagged with its gateway, and exits 0', () => {
    const { status, stdout, stderr } = tendril([
      'exec',
      ...['--tx', `${popen}//id=w1`, greeting],
      ...['--kwarg', 'greeting=hello', '--kwarg', 'times=[1, null]'],
    ])
    expect(stdout.split('\n').sort()).toEqual(
      ['', '[w1] done', '[w1] printed', "[w1] { greeting: 'hello', times: [ 1, null ] }"].sort(),
    )
    expect([status, stderr]).toEqual([0, '[w1] complained\n'])
  })

  it('runs the file on every gateway of every spec', () => {
    const file = join(folder, 'one.py')
    writeFileSync(file, 'channel.send(1)')
    const { status, stdout } = tendril(['exec', '--tx', `2*${popen}`, '--tx', `${popen}//id=w`, file])
    expect([status, stdout.split('\n').sort()]).toEqual([0, ['', '[gw0] 1', '[gw1] 1', '[w] 1']])
  })

  it('leaves no file unwritten that was left open', () => {
    const [file, path] = [join(folder, 'leaves_open.py'), join(folder, 'left-open')]
    writeFileSync(file, `def f(): pass\nfile = open(${JSON.stringify(path)}, 'w')\nfile.write('data')\n`)
    expect(tendril(['exec', '--tx', popen, file]).status).toBe(0)
    expect(readFileSync(path, 'utf8')).toBe('data')
  })

  it('prints items whole, however long they are', () => {
    const file = join(folder, 'long.py')
    writeFileSync(
      file,
      'channel.send(list(range(1000)))\nchannel.send({"text": "x" * 20000, "set": set(range(500)), "bytes": b"y" * 300, "deep": [[[[[[7]]]]]]})',
    )
    const { status, stdout } = tendril(['exec', '--tx', popen, file])
    expect([status, stdout.includes('more item'), stdout.includes('more character')]).toEqual([0, false, false])
    for (const part of ['999', 'x'.repeat(20_000), '499', '7']) expect(stdout).toContain(part)
    expect(stdout.match(/\b121\b/g)?.length).toBeGreaterThanOrEqual(300)
  })

  it('prints items as they arrive', async () => {
    const file = join(folder, 'slow.py')
    writeFileSync(file, 'channel.send("first")\nimport time\ntime.sleep(100)')
    const mark = new Mark()
    const program = spawn(process.execPath, [bin, 'exec', '--tx', `${popen}//${mark.key}`, file])
    const [chunk] = await once(program.stdout, 'data')
    expect(String(chunk)).toBe('[gw0] first\n')
    program.kill('SIGINT')
    expect(await once(program, 'exit')).toEqual([130, null])
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('exits 1 with the traceback when remote code fails, and goes on elsewhere', () => {
    const { status, stderr } = tendril(['exec', '--tx', `2*${popen}`, failing])
    expect(status).toBe(1)
    expect(stderr).toContain('[gw0] ValueError: 17')
    expect(stderr).toContain('[gw1] ValueError: 17')
    expect(stderr).toContain(`[gw0]   File "${failing}", line 3, in fail`)
  })

  it.each([
    ['no file', ['exec'], 'missing required argument'],
    ['a file that there is not', ['exec', '/nowhere.py'], '/nowhere.py'],
    ['an unknown option', ['exec', '--gateways', 'x', failing], '--gateways'],
    ['an unknown key', ['exec', '--tx', 'popen//pyhton=x', failing], 'did you mean "python"'],
    ['a kwarg without a name', ['exec', '--kwarg', '=1', failing], 'name=value'],
    ['an unknown command', ['exce', failing], 'exce'],
  ])('exits 2 for %s', (_, args, text) => {
    const { status, stdout, stderr } = tendril(args)
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain(text)
  })

  it('exits 3 with one clear line when a gateway cannot be opened', () => {
    const { status, stderr } = tendril(['exec', '--tx', popen, '--tx', 'popen//python=/nowhere/python3', failing])
    expect(status).toBe(3)
    expect(stderr.split('\n').filter((line) => line.includes('"/nowhere/python3" does not exist'))).toHaveLength(1)
    expect(stderr).toContain('[gw0] ValueError: 17')
    expect(stderr).toContain('tendril: 1 of 2 gateways ready, 1 failed\n')
  })

  it.each([
    ['exec', ['exec', '--tx', 'popen//roots=/no/such/folder', failing]],
    ['doctor', ['doctor', 'popen//roots=/no/such/folder']],
    ['repl', ['repl', 'popen//via=nobody']],
    ['types', ['types', 'json', '--tx', 'popen//via=nobody']],
  ])('exits 2, and says so once, when %s is given a spec that names what there is not', (_, args) => {
    const { status, stdout, stderr } = tendril(args)
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => /cannot provide|names no gateway/.test(line))
    expect([status, lines.length]).toEqual([2, 1])
  })

  it('tells of a gateway that fails when it fails, while the others go on', async () => {
    const file = join(folder, 'waits.py')
    writeFileSync(file, 'channel.send("first")\nimport time\ntime.sleep(100)')
    const args = ['exec', '--tx', popen, '--tx', 'popen//python=/nowhere/python3//id=bad', file]
    const program = spawn(process.execPath, [bin, ...args])
    const [[line], [item]] = await Promise.all([once(program.stderr, 'data'), once(program.stdout, 'data')])
    expect(String(line)).toMatch(/^tendril: gateway bad \(.*"\/nowhere\/python3" does not exist/)
    expect(String(item)).toBe('[gw0] first\n')
    program.kill('SIGINT')
    expect(await once(program, 'exit')).toEqual([130, null])
  })

  it('gives up what is connecting at once when it is interrupted, leaves nothing and exits 130', async () => {
    const mark = new Mark()
    const silent = `popen//python=sh -c 'trap "" INT TERM; echo here >&2; sleep 1000'//${mark.key}`
    const started = performance.now()
    const program = spawn(process.execPath, [bin, 'exec', '--tx', `3*${silent}`, greeting])
    await until(() => mark.pids().length === 6) // each shell and its sleep; nobody else tells
    const interrupted = performance.now()
    program.kill('SIGINT')
    expect(await once(program, 'exit')).toEqual([130, null])
    // The time is what "at once" says: no grace, of 2 s, for them; a busy machine, on which they also start late, may take longer.
    expect(performance.now() - interrupted).toBeLessThan(1500 + 2 * (interrupted - started))
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('exits 3 and says what was looked for when there is no Python', () => {
    const { status, stderr } = spawnSync(process.execPath, [bin, 'exec', failing], {
      encoding: 'utf8',
      env: { PATH: '/nowhere' },
    })
    expect(status).toBe(3)
    expect(stderr).toMatch(/^tendril: no Python was found: looked for python3 and python on PATH.*\n$/)
  })

  it('explains itself', () => {
    const { status, stdout } = tendril(['exec', '--help'])
    expect(status).toBe(0)
    expect(stdout).toContain('--tx <spec>')
  })
})
