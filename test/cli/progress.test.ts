// What is seen of gateways on their way: a live line on a terminal, plain lines elsewhere.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { tendril, tendrilOnTerminal } from './command.js'

const { command } = anyInterpreter()
let folder = ''
let file = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-progress-'))
  file = join(folder, 'one.py')
  writeFileSync(file, 'channel.send(1)')
})
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(process.platform === 'win32')('on a terminal', () => {
  it('a live line says how many are ready, failed and connecting, and is gone when all are there', async () => {
    const fifo = join(folder, 'fifo')
    spawnSync('mkfifo', [fifo])
    const slow = `popen//id=slow//python=sh -c 'read line <${fifo}; exec ${command} "$@"' sh`
    const specs = [`popen//python=${command}`, 'popen//python=/nowhere/python3', slow]
    const terminal = tendrilOnTerminal('exec', ...specs.flatMap((spec) => ['--tx', spec]), file)
    await terminal.shows(/\r\p{Cc}\[K1\/3 ready, 1 failed, 1 connecting \(python slow …\)/u)
    writeFileSync(fifo, 'go\n')
    // What a gateway says may come between the live line and the next.
    await terminal.shows(/(?:\r\p{Cc}\[K|\n)tendril: 2 of 3 gateways ready, 1 failed\r\n/u)
    await terminal.shows(/\[slow\] 1\r\n/)
    expect(await terminal.exitCode()).toBe(3)
    expect(terminal.shown).not.toMatch(/connecting[^\r]*\[slow\]/) // erased before anything else is printed
  })

  it('what a worker prints stays on its own line, in its colors', async () => {
    const hostile = join(folder, 'hostile.py')
    writeFileSync(hostile, String.raw`print("a\r[gw1] forged\x1b[1A\x9b2K\x1b[31mred\x07")`)
    const terminal = tendrilOnTerminal('exec', '--tx', `popen//python=${command}`, hostile)
    await terminal.exitCode()
    const esc = String.fromCharCode(27)
    expect(terminal.shown).toContain(`[gw0] a\\x0d[gw1] forged\\x1b[1A\\x9b2K${esc}[31mred\\x07${esc}[0m\r\n`)
    const raw = tendrilOnTerminal('exec', '--raw', '--tx', `popen//python=${command}`, hostile)
    await raw.exitCode()
    expect(raw.shown).toContain('[gw0] a\r[gw1] forged')
  })

  it('the live line leaves nothing behind', async () => {
    const terminal = tendrilOnTerminal('exec', '--tx', `popen//python=${command}`, file)
    expect(await terminal.exitCode()).toBe(0)
    const left = terminal.shown.replace(/[^\r\n]*\r\p{Cc}\[K/gu, '')
    expect(left).toBe('[gw0] 1\r\ntyping is shown\n')
  })
})

describe('elsewhere', () => {
  it('failures are told in lines, and a summary where it tells something', () => {
    const bad = 'popen//python=/nowhere/python3'
    const other = 'popen//python=/nowhere/python2'
    const { stderr } = tendril(['exec', '--tx', bad, '--tx', `popen//python=${command}`, '--tx', other, file])
    expect(stderr.split('\n').map((line) => line.split(' (')[0])).toEqual([
      'tendril: gateway gw0',
      'tendril: gateway gw2',
      'tendril: 1 of 3 gateways ready, 2 failed',
      '',
    ])
    expect(stderr).not.toContain('\u001B')
  })

  it('what several gateways fail with alike is told once', () => {
    const bad = 'popen//python=/nowhere/python3'
    const { stderr } = tendril(['exec', '--tx', bad, '--tx', `2*${bad}`, '--tx', `${bad}//id=own`, file])
    expect(stderr.split('\n').map((line) => line.split(' (')[0])).toEqual([
      'tendril: gateway gw0',
      'tendril: gateway own',
      'tendril: 0 of 4 gateways ready, 4 failed',
      '',
    ])
  })

  it('a run on this machine that goes well says nothing', () => {
    expect(tendril(['exec', '--tx', `3*popen//python=${command}`, file]).stderr).toBe('')
  })

  it('one gateway that fails has its line and no summary', () => {
    const { status, stderr } = tendril(['exec', '--tx', 'popen//python=/nowhere/python3', file])
    expect([status, stderr.trimEnd().split('\n').length]).toEqual([3, 1])
  })
})
