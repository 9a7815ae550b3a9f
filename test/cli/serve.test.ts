// The command that serves: what it prints can be used at once, and nothing of it is left when it ends, however it does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'
import { bin, tendril } from './command.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-cli-serve-'))
afterAll(() => rmSync(folder, { recursive: true }))

const python = anyInterpreter().command
const ends: readonly [NodeJS.Signals, number | null, NodeJS.Signals | null][] = [
  ['SIGTERM', 0, null],
  ['SIGINT', 0, null],
  ['SIGKILL', null, 'SIGKILL'],
]

describe('tendril serve', () => {
  it.each(ends)('serves until %s, and leaves nothing behind', async (signal, code, by) => {
    const mark = new Mark()
    const [name = '', value] = mark.key.replace('env:', '').split('=')
    const env = { ...process.env, XDG_CONFIG_HOME: folder, TENDRIL_TOKEN: '', [name]: value }
    const command = spawn(process.execPath, [bin, 'serve', '--python', python], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(command, 'exit')
    const [spec] = await once(createInterface(command.stdout), 'line')
    await using group = new Group()
    const gateway = await group.makeGateway(String(spec))
    expect(await gateway.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
    command.kill(signal)
    expect(await exited).toEqual([code, by])
    expect(await notGoneWithin(3000, mark.pids)).toEqual([])
    expect((await gateway.closed).reason).not.toBe('terminated')
  })

  it('prints the server for a host without Node', () => {
    const { status, stdout } = tendril(['serve', '--print'])
    expect(status).toBe(0)
    expect(stdout).toContain('if __name__ ==')
  })
})
