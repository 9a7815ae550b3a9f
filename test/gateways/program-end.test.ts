// What is printed for a program of its own, up to its end.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'

const dist = new URL('../../dist/index.js', import.meta.url).href
const { command } = anyInterpreter()

/** Runs a program whose stdout and stderr are files. */
function run(text: string): { status: number | null; stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-program-'))
  const [stdout, stderr] = [join(folder, 'stdout'), join(folder, 'stderr')]
  const files = [openSync(stdout, 'w'), openSync(stderr, 'w')]
  const source = `import { makeGateway } from ${JSON.stringify(dist)}
const gateway = await makeGateway(${JSON.stringify(`popen//python=${command}`)})
${text}`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', ...files],
    timeout: 60_000,
  })
  for (const file of files) closeSync(file)
  return { status, stdout: readFileSync(stdout, 'utf8'), stderr: readFileSync(stderr, 'utf8') }
}

describe('a program', () => {
  it('has all lines in a file, and no warnings', () => {
    const { stdout, stderr } = run(`await gateway.execute('for n in range(500): print(n)')\nawait gateway.exit()`)
    expect(stdout.trimEnd().split('\n')).toEqual(Array.from({ length: 500 }, (_, n) => `[gw0] ${n}`))
    expect(stderr).toBe('')
  })

  it.each([
    ['an operation', `void gateway.modules.json.loads('{bad')`, /(JSONDecode|Value)Error: /],
    ['an object', `const kept = gateway.new('datetime.date', [2026, 13, 1])`, /ValueError: month/],
    ['a chain', `void gateway.modules.sys.stdin.nothing.at.all()`, /AttributeError: /],
    ['one behind a call', `void gateway.ref.eval('1 // 0')\nawait gateway.call('abs', [-1])`, /ZeroDivisionError: /],
  ])('that ends is told what nobody asked for: the failure of %s', (_, text, told) => {
    const { status, stderr } = run(text)
    expect(status).toBe(0)
    expect(stderr).toMatch(/^\[gw0\] tendril: a failure was never retrieved:\n/)
    expect(stderr).toMatch(told)
    expect(stderr).not.toContain('Warning')
  })

  it('that ends is told of a task that fails then, and is not held up by one that goes on', () => {
    const told = run(`gateway.remoteExec('import time; time.sleep(0.1); 1 // 0')`)
    expect(told).toMatchObject({ status: 0, stdout: '' })
    expect(told.stderr).toContain('ZeroDivisionError: ')
    const silent = run(`gateway.remoteExec('import time; time.sleep(3600)')`)
    expect(silent).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})
