// Large and odd output, and the default way in which it is shown.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

const popen = `popen//python=${anyInterpreter().command}`

async function linesOf(source: string): Promise<string[]> {
  const texts: string[] = []
  await using group = new Group({ onOutput: ({ text }) => texts.push(text) })
  await (await group.makeGateway(popen)).remoteExec(source).waitClose()
  return texts
}

describe('output', () => {
  it('arrives complete and in order when it is 10 MB of lines', async () => {
    const lines = await linesOf('for i in range(100000): print("%07d %s" % (i, "x" * 96))')
    expect(lines.length).toBe(100_000)
    expect(lines.every((line, index) => Number(line.slice(0, 7)) === index && line.length === 104)).toBe(true)
  })

  it('arrives complete when 100 MB are printed, and memory does not grow with it', { timeout: 60_000 }, async () => {
    let [bytes, peak] = [0, 0]
    await using group = new Group({
      onOutput: ({ text }) => {
        bytes += text.length + 1
        peak = Math.max(peak, process.memoryUsage.rss())
      },
    })
    const gateway = await group.makeGateway(popen)
    const before = process.memoryUsage.rss()
    await gateway.remoteExec('line = "x" * 9999\nfor i in range(10000): print(line)').waitClose()
    expect(bytes).toBe(100_000_000)
    expect(peak - before).toBeLessThan(150 * 1024 * 1024)
  })

  it('gives a line without end in parts', async () => {
    const lines = await linesOf('import sys; sys.stdout.write("x" * 1000000)')
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.join('')).toBe('x'.repeat(1_000_000))
  })

  it('does not cut characters in two', async () => {
    expect(
      await linesOf(
        'import os\nfor byte in bytearray(u"\\xe9\\U0001f600\\n".encode("utf-8")): os.write(1, bytes(bytearray([byte])))',
      ),
    ).toEqual(['é😀'])
  })

  it('survives bytes that are no text', async () => {
    expect(await linesOf('import os; os.write(1, b"\\xff\\xfe ok\\n")')).toEqual(['\ufffd\ufffd ok'])
  })

  it('is shown tagged with its gateway where nobody takes it', () => {
    const index = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
    const program = `
      import { makeGateway } from ${JSON.stringify(index)}
      const gateway = await makeGateway(${JSON.stringify(`${popen}//id=w1`)})
      await gateway.remoteExec('import sys; print("out"); sys.stderr.write("err\\\\n")').waitClose()
      await gateway.exit()`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    expect([stdout, stderr]).toEqual(['[w1] out\n', '[w1] err\n'])
  })

  it('is not stopped by a child that outlives its task', async () => {
    const texts: string[] = []
    await using group = new Group({ onOutput: ({ text }) => texts.push(text) })
    const gateway = await group.makeGateway(popen)
    await gateway.remoteExec('import subprocess; subprocess.Popen(["sh", "-c", "sleep 0.2; echo late"])').waitClose()
    while (texts.length === 0) await gateway.remoteStatus()
    expect(texts).toEqual(['late'])
  })
})
