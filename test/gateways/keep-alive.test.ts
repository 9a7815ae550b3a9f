// Programs that end, in peace or of an exception, while their gateways live.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'

describe('a program that ends with live gateways', () => {
  it('ends at once with code 0, prints nothing of its own and leaves nothing', async () => {
    const { code, stdout, stderr, mark } = await run('ends-with-live-gateways.mjs')
    expect([code, stdout, stderr]).toEqual([0, '1\n', ''])
    expect(await notGoneWithin(2000, mark.pids)).toEqual([])
  })

  it('leaves nothing when it dies of an exception', async () => {
    const { code, stderr, mark } = await run('throws-with-live-gateways.mjs')
    expect(code).toBe(1)
    expect(stderr).toContain('a bug of the user')
    expect(await notGoneWithin(2000, mark.pids)).toEqual([])
  })
})

async function run(fixture: string): Promise<{ code: number; stdout: string; stderr: string; mark: Mark }> {
  const mark = new Mark()
  const file = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
  const program = spawn(process.execPath, [file, `popen//python=${anyInterpreter().command}//${mark.key}`])
  const [stdout, stderr, [code]] = await Promise.all([
    text(program.stdout),
    text(program.stderr),
    once(program, 'exit'),
  ])
  return { code: Number(code), stdout, stderr, mark }
}
