// The command line as a user runs it: what it prints and what it exits with.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'
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

  it('prints items as they arrive', async () => {
    const file = join(folder, 'slow.py')
    writeFileSync(file, 'channel.send("first")\nimport time\ntime.sleep(100)')
    const mark = new Mark()
    const program = spawn(process.execPath, [bin, 'exec', '--tx', `${popen}//${mark.key}`, file])
    const [chunk] = await once(program.stdout, 'data')
    expect(String(chunk)).toBe('[gw0] first\n')
    program.kill('SIGINT')
    expect(await once(program, 'exit')).toEqual([130, null])
    expect(await notGoneWithin(1000, mark.pids)).toEqual([])
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
    const program = spawn(process.execPath, [bin, 'exec', '--tx', `3*${silent}`, greeting])
    while (mark.pids().length < 6) await new Promise((resolve) => setTimeout(resolve, 20)) // each shell and its sleep; nobody else tells
    const began = performance.now()
    program.kill('SIGINT')
    expect(await once(program, 'exit')).toEqual([130, null])
    expect(performance.now() - began).toBeLessThan(1500) // the grace of a worker that runs is 2000
    expect(await notGoneWithin(1000, mark.pids)).toEqual([])
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
