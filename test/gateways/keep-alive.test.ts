// Programs that end, in peace or of an exception, while their gateways live.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { overSocket } from '../conformance/socket.js'
import { popen, type Way } from '../conformance/subject.js'
import { overWebSocket } from '../conformance/ws.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'

const ways = [
  ['popen', popen],
  ['socket', overSocket],
  ['ws', overWebSocket],
] as const

describe.each(ways)('a program that ends with live gateways over %s', (_, findWay) => {
  let way: Way
  beforeAll(async () => {
    way = await findWay(anyInterpreter().command)
  })
  afterAll(() => way.stop?.())

  it('ends at once with code 0, prints nothing of its own and leaves nothing', async () => {
    const { code, stdout, stderr, mark } = await run('ends-with-live-gateways.mjs', way)
    expect([code, stdout, stderr]).toEqual([0, '1\n', ''])
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('leaves nothing when it dies of an exception', async () => {
    const { code, stderr, mark } = await run('throws-with-live-gateways.mjs', way)
    expect(code).toBe(1)
    expect(stderr).toContain('a bug of the user')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })
})

async function run(
  fixture: string,
  { spec }: Way,
): Promise<{ code: number; stdout: string; stderr: string; mark: Mark }> {
  const mark = new Mark()
  const file = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
  const program = spawn(process.execPath, [file, `${spec}//${mark.key}`])
  const [stdout, stderr, [code]] = await Promise.all([
    text(program.stdout),
    text(program.stderr),
    once(program, 'exit'),
  ])
  return { code: Number(code), stdout, stderr, mark }
}
