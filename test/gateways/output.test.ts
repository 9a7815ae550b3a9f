// Large and odd output, and the default way in which it is shown.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { OutputLines } from '../../src/gateways/output.js'
import { Group, type OutputLine } from '../../src/index.js'
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

  it('arrives complete when 100 MB are printed, and memory does not grow with it', async () => {
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

  it('is held in bounds until the worker is there, and then told with how much is missing', () => {
    const lines: OutputLine[] = []
    const output = new OutputLines('gw0', (line) => lines.push(line))
    for (let times = 0; times < 200; times++) output.feed('stderr', 0, Buffer.from('y\n'.repeat(32_768)))
    expect(output.stderrTail).toBe('y\n'.repeat(2048))
    output.release()
    const missing = Number(/^\[tendril: (\d+) bytes are missing\]$/.exec(lines.at(-1)?.text ?? '')?.[1])
    expect(lines.length).toBeLessThan(100_000)
    expect(missing).toBe(200 * 65_536 - 2 * (lines.length - 1))
  })

  it('does not cut a line, or a character, when another task begins or ends meanwhile', () => {
    const lines: OutputLine[] = []
    const output = new OutputLines('gw0', (line) => lines.push(line))
    output.release()
    output.feed('stdout', 1, Buffer.from('one '))
    output.feed('stdout', 0, Buffer.from('line\nand '))
    output.feed('stderr', 2, Buffer.from('aside\n'))
    output.feed('stdout', 2, Buffer.from('caf\u00e9').subarray(0, 4))
    output.feed('stdout', 1, Buffer.from('\u00e9\n').subarray(1))
    expect(lines).toEqual([
      { gateway: 'gw0', channel: 1, stream: 'stdout', text: 'one line' },
      { gateway: 'gw0', channel: 2, stream: 'stderr', text: 'aside' },
      { gateway: 'gw0', stream: 'stdout', text: 'and caf\u00e9' },
    ])
  })

  it('is tagged with the only task of the user’s, whatever runs of ours', async () => {
    const lines: OutputLine[] = []
    await using group = new Group({ onOutput: (line) => lines.push(line) })
    const gateway = await group.makeGateway(popen)
    const ours = gateway.execAside('channel.send(1); channel.receive()')
    await ours.receive()
    const task = gateway.remoteExec('print("mine")')
    await task.waitClose()
    expect(lines).toEqual([{ gateway: gateway.id, channel: task.id, stream: 'stdout', text: 'mine' }])
    await ours.close()
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
