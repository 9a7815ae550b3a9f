// The command that listens: what it prints brings a worker, what it runs is told, and it ends when all have come and gone.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { Mark, thoseThatStay } from '../processes.js'
import { runInvitation } from '../testbeds/dialer.js'
import { noOpenssl, titled } from '../testbeds/needs.js'
import { bin, tendril } from './command.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-cli-listen-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Starts it; gives the command that it prints first, and all that it says. */
async function listen(...args: string[]) {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(process.execPath, [bin, 'listen', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  const closed = once(child, 'close')
  const [command] = await once(createInterface(child.stdout), 'line')
  return { command: String(command), child, ended: closed.then(([status]) => ({ status, ...said })) }
}

describe('tendril listen', () => {
  it('runs the file on each that comes, and exits with what the worst of them came to', async () => {
    const file = join(folder, 'work.py')
    writeFileSync(file, 'channel.send(answer)\nprint("printed")\nif fails: raise SystemError("no")')
    const { command, ended } = await listen('--count', '2', '--kwarg', 'answer=42', '--kwarg', 'fails=false', file)
    await using _one = runInvitation(command)
    await using _other = runInvitation(command)
    const { status, stdout, stderr } = await ended
    expect(status).toBe(0)
    expect(stdout.split('\n').slice(1).sort()).toEqual(['', '[gw0] 42', '[gw0] printed', '[gw1] 42', '[gw1] printed'])
    expect(stderr).toMatch(/gw0 is \S+ \(127\.0\.0\.1:\d+\), CPython 3/)
  })

  it('tells of a file that fails', async () => {
    const file = join(folder, 'fails.py')
    writeFileSync(file, 'raise ValueError("broken")')
    const { command, ended } = await listen(file)
    await using _dialer = runInvitation(command)
    const { status, stderr } = await ended
    expect(status).toBe(1)
    expect(stderr).toContain(`[gw0]   File "${file}", line 1`)
    expect(stderr).toContain('[gw0] ValueError: broken')
  })

  it.skipIf(noOpenssl)(titled('ends with all workers when it is interrupted', noOpenssl), async () => {
    const mark = new Mark()
    const { command, child, ended } = await listen('--tls')
    await using _dialer = runInvitation(command, mark.variables)
    await once(child.stderr, 'data')
    child.kill('SIGINT')
    expect((await ended).status).toBe(130)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('says so when others can read and change what is said', async () => {
    const { child, ended } = await listen('--host', '0.0.0.0')
    child.kill('SIGINT')
    expect((await ended).stderr).toMatch(
      /^tendril: whoever is on the way can read and change what is said: use --tls\n/,
    )
  })

  it('says what is wrong with its words before it listens', () => {
    expect(tendril(['listen', '--port', 'x'])).toMatchObject({
      status: 2,
      stderr: 'tendril: --port takes a number, not "x"\n',
    })
    expect(tendril(['listen', '--count', '-1'])).toMatchObject({ status: 2 })
    expect(tendril(['listen', '--spec', 'python=x'])).toMatchObject({ status: 2 })
    expect(tendril(['listen', '--cert', 'x'])).toMatchObject({ status: 2 })
    expect(tendril(['listen', join(folder, 'none.py')])).toMatchObject({ status: 2 })
    expect(tendril(['listen', '--token-file', join(folder, 'none')])).toMatchObject({ status: 2 })
  })

  it('prints the program that dials', () => {
    expect(tendril(['listen', '--print']).stdout).toContain('def dial(')
  })
})
