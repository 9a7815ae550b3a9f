// The loader, the sizes, one write that carries everything, and a stream that may break off at any byte.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bootstrapBytes,
  bootstrapSize,
  deflatedWorker,
  loaderLine,
  makeMarker,
  readCore,
  STAGE_SIZE,
} from '../../src/gateways/bootstrap.js'
import { setupOf } from '../../src/gateways/hello.js'
import { Group, XSpec } from '../../src/index.js'
import { encode } from '../../src/protocol/codec.js'
import { encodeFrame, encodeUint32, HEADER_BYTES, Kind } from '../../src/protocol/frames.js'
import { anyInterpreter, interpreters } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'

const { command } = anyInterpreter()
let folder = ''
let flight: Buffer

// What a controller writes to a new gateway with a small task, as the interpreter received it.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-flight-'))
  const group = new Group()
  const gateway = group.launchGateway(`popen//python=sh -c 'tee ${folder}/flight | "$0" "$@"' ${command}`)
  expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  await group.terminate()
  flight = readFileSync(join(folder, 'flight'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('the loader', () => {
  it.each(['linux', 'darwin', 'win32'])('has at most 140 characters that every shell passes on, on %s', (platform) => {
    expect(loaderLine(platform).length).toBeLessThanOrEqual(140)
    expect(loaderLine(platform)).toMatch(/^[^'"\\$%!`\n]+$/)
    expect(loaderLine(platform)).toMatch(/^[\x20-\x7e]+$/)
  })

  it.each(interpreters())('reads a stage of which no part is a program, to $name', (interpreter) => {
    const [stage] = bootstrapBytes(makeMarker())
    const text = Buffer.from(stage ?? '')
      .toString()
      .trimEnd()
    const compiled = `
import sys
text = sys.argv[1]
for size in range(len('exec(r'), len(text) + 1):
    try:
        compile(text[:size], 'stage', 'exec')
        print(size)
    except SyntaxError:
        pass
`
    expect(execFileSync(interpreter.command, ['-c', compiled, text], { encoding: 'utf8' }).trim()).toBe(
      String(text.length),
    )
  })

  it('reads a stage of a fixed size', () => {
    const [stage, worker] = bootstrapBytes(makeMarker())
    expect([stage?.length, worker]).toEqual([STAGE_SIZE, deflatedWorker()])
  })
})

describe('sizes', () => {
  it('keeps bootstrap.py within 8 KiB deflated', () => {
    const core = readCore()
    const { length } = deflateSync(core, { level: 9 })
    process.stdout.write(
      `loader ${loaderLine().length} characters, bootstrap.py ${core.split('\n').length - 1} lines, ${length} bytes deflated\n`,
    )
    expect(length).toBeLessThanOrEqual(8192)
  })

  it('sends everything up to the first task within the first flight of a TCP connection', () => {
    const bytes = bytesUntilExec(flight)
    process.stdout.write(`first flight with a small task: ${bytes} bytes\n`)
    expect(bytes).toBeLessThanOrEqual(14 * 1024) // within the ten segments of RFC 6928, whatever their headers take
  })
})

describe('the stream', () => {
  it('carries the first task in the same write as the bootstrap', async () => {
    await using group = new Group()
    const gateway = group.launchGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec<number, number>('channel.send(channel.receive() + 1)')
    await channel.send(41)
    expect(gateway.isReceiving).toBe(false)
    expect(await channel.receive()).toBe(42)
  })

  it('may break off at any byte, and the interpreter ends', async () => {
    const step = Math.ceil(flight.length / 90)
    const cuts = Array.from({ length: Math.ceil(flight.length / step) }, (_, index) => index * step)
    const lanes = [0, 1, 2, 3].map(async (lane) => {
      for (const cut of cuts.filter((_, index) => index % 4 === lane)) await expectEnd(command, cut)
    })
    await Promise.all(lanes)
  })

  it.each(interpreters())('may break off in every part of it, with $name', async (interpreter) => {
    const cuts = [0, 100, STAGE_SIZE, STAGE_SIZE + 1000, bootstrapSize(), flight.length - 1, flight.length]
    await Promise.all(cuts.map((cut) => expectEnd(interpreter.command, cut)))
  })
})

describe.each(interpreters())('a worker on $name', (interpreter) => {
  const setup = Buffer.concat(
    encode(setupOf('gw0', XSpec.parse('popen//nice=5'), { maxItemBytes: 1 << 20 }), { protocol: 2 }),
  )
  it.each([
    ['a channel', encodeFrame(Kind.OPEN, 0, 1)],
    ['an end', encodeFrame(Kind.TERMINATE, 0, 0, encodeUint32(0))],
    ['a SETUP that needs a module which was not pushed', encodeFrame(Kind.SETUP, 0, 0, setup)],
  ])('that reads %s ahead of all else says that it is an error of the protocol', (_, frame) => {
    const input = Buffer.concat([...bootstrapBytes(makeMarker()), frame])
    const { stderr } = spawnSync(interpreter.command, ['-c', loaderLine()], {
      input,
      encoding: 'utf8',
      timeout: 50_000,
    })
    expect(stderr).toMatch(/^tendril worker: protocol error: /)
    expect(stderr).not.toContain('Traceback')
  })
})

/** Starts an interpreter with the first bytes of the flight and no more: it ends by itself, without a word of its own to stdout, and leaves nothing. */
async function expectEnd(python: string, bytes: number): Promise<void> {
  const mark = new Mark()
  const [name, value] = mark.key.slice('env:'.length).split('=') as [string, string]
  const child = spawn(python, ['-c', loaderLine()], {
    env: { ...process.env, [name]: value },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(flight.subarray(0, bytes))
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, 50_000)
  await once(child, 'exit')
  clearTimeout(timer)
  expect({ bytes, isLate, left: await thoseThatStay(mark.pids) }).toEqual({ bytes, isLate: false, left: [] })
}

function bytesUntilExec(stream: Buffer): number {
  let at = bootstrapSize()
  while (at + HEADER_BYTES <= stream.length) {
    const kind = stream[at]
    at += HEADER_BYTES + stream.readUInt32BE(at + 6)
    if (kind === Kind.EXEC) return at
  }
  throw new Error('no EXEC in what was sent')
}
