// What the doctor tells of gateways that work and of those that do not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { bin, tendril } from './command.js'

const { command } = anyInterpreter()
const popen = `popen//python=${command}`
const bad = 'popen//python=/nowhere/python3//id=bad'

describe('tendril doctor', () => {
  it('tells each phase with its time, then what the interpreter is, and exits 0', () => {
    const { status, stdout, stderr } = tendril(['doctor', `${popen}//id=a`, `popen//via=a//id=b`])
    expect([status, stderr]).toEqual([0, ''])
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toBe(`a (${popen}//id=a)`)
    expect(lines[1]).toMatch(/^ {2}python +[\d.]+ ms {2}\//)
    expect(lines[2]).toMatch(/^ {2}ready +[\d.]+ ms {2}(CPython|PyPy) \d+\.\d+\.\d+ on \w+, \//)
    expect(lines[3]).toMatch(/^ {2}round trip +[\d.]+ ms$/)
    expect(lines[4]).toBe('b (popen//via=a//id=b)')
    expect(lines[5]).toMatch(/^ {2}connect +[\d.]+ ms {2}via a$/)
    expect(lines[6]).toMatch(/^ {2}python +[\d.]+ ms {2}the interpreter of a$/)
    expect(lines.at(-1)).toBe('2 of 2 gateways work')
  })

  it('tells where one failed and what to do, goes on with the others, and exits 3', () => {
    const { status, stdout } = tendril(['doctor', bad, popen])
    expect(status).toBe(3)
    const lines = stdout.trimEnd().split('\n')
    expect(lines[1]).toMatch(/^ {2}python +[\d.]+ ms {2}\/nowhere\/python3$/)
    expect(lines[2]).toBe(
      '  failed in phase python: the interpreter "/nowhere/python3" does not exist. Tried: /nowhere/python3. Check the python= key.',
    )
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}ready /))
    expect(lines.at(-1)).toBe('1 of 2 gateways work')
  })

  it('with --trace tells each frame on stderr', () => {
    const { status, stdout, stderr } = tendril(['doctor', '--trace', popen])
    expect([status, stdout.split('\n').length]).toEqual([0, 5])
    expect(stderr).toMatch(/^gw0 [\d.]+ ms ← HELLO channel 0, \d+ bytes$/m)
    expect(stderr).toMatch(/^gw0 [\d.]+ ms → TERMINATE channel 0, 4 bytes$/m)
  })

  it('with --json gives a line for each gateway, with what a program needs', () => {
    const { status, stdout } = tendril(['doctor', '--json', popen, bad])
    expect(status).toBe(3)
    const [good, failed] = stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(good).toMatchObject({
      id: 'gw0',
      spec: popen,
      ok: true,
      phases: [{ phase: 'python', ms: expect.any(Number) }],
      info: { executable: expect.any(String), platform: expect.any(String) },
      roundTripMs: expect.any(Number),
    })
    expect(failed).toMatchObject({
      id: 'bad',
      ok: false,
      error: { name: 'BootstrapError', code: 'ERR_BOOTSTRAP', phase: 'python', tried: ['/nowhere/python3'] },
    })
  })

  it('looks at what TENDRIL_TX names, and else at the Python of this machine', () => {
    expect(tendril(['doctor'], { TENDRIL_TX: `${popen}//id=named` }).stdout).toMatch(/^named \(/)
    expect(tendril(['doctor'], { TENDRIL_TX: '' }).stdout).toMatch(/^gw0 \(popen\)\n/)
  })

  it('says that there is no Python where there is none', () => {
    const { status, stdout } = tendril(['doctor', 'popen'], { PATH: '/nowhere' })
    expect(status).toBe(3)
    expect(stdout).toMatch(/failed in phase python: no Python was found: looked for python3 and python/)
  })

  it('exits 2 for a spec that cannot be read', () => {
    expect(tendril(['doctor', 'popen//pyhton=x'])).toMatchObject({ status: 2, stdout: '' })
  })

  it('exits 130 when it is interrupted, without a word on what it was waiting for', async () => {
    const mark = new Mark()
    const program = spawn(process.execPath, [bin, 'doctor', `popen//python=sh -c 'sleep 1000'//${mark.key}`])
    const chunks: string[] = []
    program.stdout.on('data', (chunk) => chunks.push(String(chunk)))
    await once(program.stdout, 'data') // the line that names the gateway comes first
    program.kill('SIGINT')
    expect(await once(program, 'exit')).toEqual([130, null])
    expect(chunks.join('').trimEnd().split('\n')).toHaveLength(1)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })
})
