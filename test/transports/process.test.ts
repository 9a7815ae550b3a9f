// A child process as a transport, with real programs at the far end.
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openProcess, type ProcessOptions } from '../../src/transports/process.js'
import type { Transport, TransportEnd } from '../../src/transports/transport.js'
import { anyInterpreter } from '../interpreters.js'
import { isGone, thoseThatStay } from '../processes.js'

const fixture = fileURLToPath(new URL('../fixtures/transport_peer.py', import.meta.url))
const started: Transport[] = []

afterEach(() => {
  for (const transport of started.splice(0)) transport.kill('SIGKILL')
})

/** A transport whose events are gathered, and can be waited for. */
class Far {
  readonly transport: Transport
  readonly ended: Promise<TransportEnd>
  stdout = ''
  stderr = ''
  drains = 0
  ends = 0
  #onEvent: (() => void)[] = []

  constructor(argv: readonly string[], options?: ProcessOptions) {
    this.transport = openProcess(argv, options)
    started.push(this.transport)
    this.ended = new Promise((resolve) => {
      this.transport.start({
        onChunk: (chunk) => this.#note(() => (this.stdout += Buffer.from(chunk).toString('latin1'))),
        onStderr: (chunk) => this.#note(() => (this.stderr += Buffer.from(chunk).toString('latin1'))),
        onDrain: () => this.#note(() => this.drains++),
        onEnd: (end) => this.#note(() => [this.ends++, resolve(end)]),
      })
    })
  }

  /** Waits for what the far end does: checked after every event. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#onEvent.push(resolve))
  }

  #note(act: () => unknown): void {
    act()
    for (const resolve of this.#onEvent.splice(0)) resolve()
  }
}

const start = (what: string, options?: ProcessOptions): Far =>
  new Far([anyInterpreter().command, fixture, what], options)
const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('a process', () => {
  it('gets what is written, in order, and its output comes back', async () => {
    const far = start('echo')
    far.transport.write([bytes('one '), bytes('two ')])
    far.transport.write([bytes('three')])
    await far.until(() => far.stdout === 'one two three')
    far.transport.endInput()
    expect(await far.ended).toEqual({ exitCode: 7, signal: undefined, error: undefined })
  })

  it('is started in its folder, with its variables beside ours, leading a session of its own', async () => {
    const far = start('says', { cwd: tmpdir(), env: { TENDRIL_TEST: 'a value' } })
    await far.ended
    expect(far.stdout).toMatch(/\('.*', 'a value', True\)/)
    expect(far.stderr).toBe('a warning\n')
    expect(far.transport.remoteAddress).toBeUndefined()
  })

  it('gets no variable of tendril’s own, whose token would make another user this one, but where it is given one', async () => {
    vi.stubEnv('TENDRIL_TOKEN', 'secret')
    const argv = [anyInterpreter().command, '-c', 'import os; print(os.environ.get("TENDRIL_TOKEN"))']
    const fars = [new Far(argv), new Far(argv, { env: { TENDRIL_TOKEN: 'another' } })]
    vi.unstubAllEnvs()
    await Promise.all(fars.map(({ ended }) => ended))
    expect(fars.map(({ stdout }) => stdout)).toEqual(['None\n', 'another\n'])
  })

  it('gets nothing that all objects have been given', async () => {
    const polluted = { cwd: tmpdir(), shell: '/no/such/shell', POLLUTED: 'yes' }
    Object.assign(Object.prototype, polluted)
    try {
      const far = new Far(['sh', '-c', 'pwd; echo "[$POLLUTED]"'])
      await far.ended
      expect(far.stdout).toBe(`${process.cwd()}\n[]\n`)
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it('has said all it said before its end is told', async () => {
    const far = start('floods')
    expect((await far.ended).exitCode).toBe(0)
    expect(far.stdout.length).toBe(5_000_000)
  })

  it('has ended when it exits, though a child of its holds the pipes open, and the child can still be killed', async () => {
    const far = start('leaves_a_child')
    expect((await far.ended).exitCode).toBe(3)
    const child = Number(far.stdout)
    expect(isGone(child)).toBe(false)
    far.transport.kill('SIGKILL')
    expect(await thoseThatStay(() => [child])).toEqual([])
  })

  it('is killed with its children, and the end tells the signal', async () => {
    const far = start('ignores_sigterm')
    await far.until(() => far.stdout.endsWith('\n'))
    far.transport.kill('SIGTERM')
    expect(isGone(Number(far.stdout))).toBe(false)
    far.transport.kill('SIGKILL')
    expect(await far.ended).toEqual({ exitCode: undefined, signal: 'SIGKILL', error: undefined })
    expect(await thoseThatStay(() => [Number(far.stdout)])).toEqual([])
  })

  it.each([
    ['no such program', ['/no/such/program'], {}, 'ENOENT'],
    ['a program that may not be run', [fixture], {}, 'EACCES'],
    ['no such folder', [process.execPath, '-v'], { cwd: '/no/such/folder' }, 'ENOENT'],
  ])('that cannot be started ends with what the system says: %s', async (_, argv, options, code) => {
    const far = new Far(argv, options)
    far.transport.write([bytes('lost')])
    far.transport.kill('SIGKILL')
    expect(await far.ended).toMatchObject({ error: { code } })
    expect(far.ends).toBe(1)
  })
})

describe('writing', () => {
  it('says when no more should come, and when it may again; nothing is lost', async () => {
    const far = start('echo')
    const chunk = new Uint8Array(1_000_000).fill(120)
    expect(far.transport.write([chunk, chunk])).toBe(false)
    await far.until(() => far.drains > 0)
    await far.until(() => far.stdout.length === 2_000_000)
    expect(far.transport.write([bytes('.')])).toBe(true)
    await far.until(() => far.stdout.endsWith('.'))
  })

  it('that said no is done with its bytes when it drains: they may be changed then', async () => {
    const far = start('reads_late')
    const chunk = new Uint8Array(1_000_000).fill(1)
    expect(far.transport.write([chunk])).toBe(false)
    await far.until(() => far.stdout.endsWith('\n'))
    process.kill(Number(far.stdout), 'SIGUSR1')
    await far.until(() => far.drains > 0)
    chunk.fill(2)
    far.transport.endInput()
    await far.ended
    expect(far.stdout).toMatch(/\[\(1, 1000000\)\]$/)
  })

  it('to a process that has ended, or to an input that has, is no error', async () => {
    const far = start('says')
    far.transport.endInput()
    far.transport.endInput()
    expect(far.transport.write([bytes('late')])).toBe(true)
    await far.ended
    expect(far.transport.write([bytes('later'), bytes('still')])).toBe(true)
    far.transport.kill('SIGTERM')
    expect(far.ends).toBe(1)
  })
})

describe('keepAlive', () => {
  it('can be given up and taken again, also when the process has ended', async () => {
    const far = start('echo')
    for (const isWanted of [false, true]) far.transport.keepAlive(isWanted)
    far.transport.endInput()
    await far.ended
    expect(() => far.transport.keepAlive(false)).not.toThrow()
  })
})
