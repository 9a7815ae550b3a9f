// A line for each frame and each phase, and nothing of what is in a frame.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeGateway, XSpec } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

const { command } = anyInterpreter()
const line = /^gw0 \d+\.\d ms (python|ready|[→←] [A-Z]+ channel \d+, \d+ bytes(, [A-Z]+)*$)/
const program = `
import { makeGateway } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
const gateway = await makeGateway('popen//python=${command}')
await gateway.eval('1 + 1')
await gateway.exit()
`

function run(environment: NodeJS.ProcessEnv): { readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  })
}

describe('a trace', () => {
  it('has a line for each phase and each frame, in their order, with what is in none of them', async () => {
    const lines: string[] = []
    const secret = 'correct-horse-battery'
    const spec = XSpec.from({ popen: true, id: 'gw0', python: command, env: { PASSWORD: secret } })
    const gateway = await makeGateway(spec, { onTrace: (text) => lines.push(text) })
    const channel = gateway.remoteExec('channel.send(channel.receive() + word)', { word: secret })
    await channel.send(secret)
    await channel.receive()
    await channel.waitClose()
    await gateway.eval('1/0').catch(() => undefined)
    await gateway.exit()
    expect(lines.filter((text) => !line.test(text))).toEqual([])
    const told = lines.map((text) => text.replace(/^gw0 [\d.]+ ms /, ''))
    const steps = ['python', '→ SETUP', '← HELLO', 'ready', '→ EXEC', '→ DATA', '← CLOSE', '→ TERMINATE']
    const at = steps.map((step) => told.findIndex((text) => text.startsWith(step)))
    expect(at).toEqual([...at].sort((one, other) => one - other))
    expect(at[0]).toBe(0)
    expect(lines.join('\n')).not.toMatch(/correct|horse|battery|PASSWORD|ZeroDivision/)
    expect(lines.some((text) => /← CLOSE channel 1, 0 bytes$/.test(text))).toBe(true)
  })

  it('says where the way ended', async () => {
    const lines: string[] = []
    const making = makeGateway('popen//id=gw0//python=/nowhere/python3', { onTrace: (text) => lines.push(text) })
    await expect(making).rejects.toThrow('does not exist')
    expect(lines.at(-1)).toMatch(/^gw0 [\d.]+ ms python \/nowhere\/python3 failed: BootstrapError$/)
  })

  it('of what is no frame says so, without it', async () => {
    const lines: string[] = []
    const gateway = await makeGateway(`popen//python=${command}`, { onTrace: (text) => lines.push(text) })
    gateway.remoteExec('import os; from _tendril import worker; os.write(worker.fd_out, b"secret words")')
    await gateway.closed
    expect(lines.at(-1)).toMatch(/← no frame: the worker sent an unknown kind of frame: 115$/)
  })

  it('is printed with NODE_DEBUG=tendril', () => {
    const lines = run({ NODE_DEBUG: 'tendril' }).stderr.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.filter((text) => !line.test(text.replace(/^TENDRIL \d+: /, '')))).toEqual([])
  })

  it('goes to the file that TENDRIL_TRACE names, behind what is there; and not at all when that cannot be written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trace-'))
    try {
      const path = join(folder, 'trace')
      for (let round = 0; round < 2; round++) expect(run({ TENDRIL_TRACE: path }).stderr).toBe('')
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
      expect(lines.filter((text) => !line.test(text))).toEqual([])
      expect(lines.filter((text) => text.includes('HELLO'))).toHaveLength(2)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(run({ TENDRIL_TRACE: folder }).stderr).toContain('TENDRIL_TRACE: nothing is traced, because EISDIR')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('is not made where nobody wants one', () => {
    expect(run({}).stderr).toBe('')
  })
})
