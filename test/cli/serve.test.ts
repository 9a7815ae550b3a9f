// The command that serves: what it prints can be used at once, and nothing of it is left when it ends, however it does.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { freePort } from '../testbeds/server.js'
import { eventually } from '../waiting.js'
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
    expect(await thoseThatStay(mark.pids)).toEqual([])
    expect((await gateway.closed).reason).not.toBe('terminated')
  })

  it.skipIf(process.platform === 'win32').each(['serve', 'listen', 'exec - <<< "channel.send(1); channel.receive()"'])(
    '%s ends quietly when its reader has gone, also where it has nothing to print',
    (words) => {
      const line = `"$0" "$1" ${words} | { read; }; echo "\${PIPESTATUS[0]}"`
      const env = { ...process.env, TENDRIL_TOKEN: 'x'.repeat(32), TENDRIL_TX: `popen//python=${python}` }
      const options = { encoding: 'utf8', env, timeout: 60_000 } as const // one that goes on would hold up this process, too
      const { stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath, bin], options)
      const complaints = stderr.replace(/^tendril serve: whoever knows the token is root [^\n]*\n/, '')
      expect({ stdout, complaints }).toEqual({ stdout: '0\n', complaints: '' })
    },
  )

  it.skipIf(process.platform === 'win32').each(['>&-', '> /dev/null'])('serves with %s', async (end) => {
    const port = await freePort('127.0.0.1')
    const line = `exec "$0" "$1" serve --python ${python} --port ${port} ${end}`
    const env = { ...process.env, XDG_CONFIG_HOME: folder, TENDRIL_TOKEN: '' }
    const command = spawn('bash', ['-c', line, process.execPath, bin], { env, stdio: 'ignore' })
    const exited = once(command, 'exit')
    await using group = new Group()
    const spec = `socket=127.0.0.1:${port}//token_file=${folder}/tendril/token`
    await eventually(async () => expect(await (await group.makeGateway(spec)).eval('6 * 7')).toBe(42))
    command.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })

  it('prints the server for a host without Node', () => {
    const { status, stdout } = tendril(['serve', '--print'])
    expect(status).toBe(0)
    expect(stdout).toContain('if __name__ ==')
  })
})
