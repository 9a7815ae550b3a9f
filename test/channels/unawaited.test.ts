// Programs that await nothing: what says that a channel or a gateway is over does not end them, and what failed is not silent.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ChannelClosedError, DumpError, GatewayClosedError } from '../../src/errors.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { FarEnd } from './far-end.js'

describe('a program that awaits no send', () => {
  it.each(['', 'exit'])(
    'lives on when the code fails and the gateway ends (%j), and prints the failure once',
    async (what) => {
      const { code, stdout, stderr } = await run(what)
      expect([code, stdout]).toEqual([0, 'alive\n'])
      expect(stderr).toMatch(/^\[gw0\] channel 1 failed, and nobody has asked how it ended:\n\[gw0\] Traceback/)
      expect(stderr.match(/ValueError: nobody asks/g)).toHaveLength(1)
    },
  )

  it('dies of what it did wrong itself', async () => {
    const { code, stderr } = await run('dump')
    expect(code).toBe(1)
    expect(stderr).toContain('DumpError: cannot send item: WeakMap')
  })

  it('has the errors when it asks for them, with its own frames in their stacks', async () => {
    const far = new FarEnd()
    far.taken = Promise.resolve(false)
    const taken = await errorOf(sendOn(far))
    far.close('out of paper')
    const refused = await errorOf(sendOn(far))
    far.taken = true
    for (const error of [taken, refused]) {
      expect(error).toBeInstanceOf(ChannelClosedError)
      expect(error).toHaveProperty('stack', expect.stringContaining('sendOn'))
    }
    const lost = new FarEnd()
    lost.lose(() => new GatewayClosedError('gw0 has ended'))
    await expect(lost.channel.send(1)).rejects.toThrow(GatewayClosedError)
  })

  it('is told by a rejection when an item cannot be sent', async () => {
    const far = new FarEnd()
    far.refuse = new DumpError('cannot send item', { path: 'item' })
    await expect(far.channel.send(1)).rejects.toBe(far.refuse)
  })
})

async function sendOn(far: FarEnd): Promise<void> {
  await far.channel.send(1)
}

async function run(what: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const file = fileURLToPath(new URL('../fixtures/waits-for-nothing.mjs', import.meta.url))
  const program = spawn(process.execPath, [file, `popen//python=${anyInterpreter().command}`, what])
  const [stdout, stderr, [code]] = await Promise.all([
    text(program.stdout),
    text(program.stderr),
    once(program, 'exit'),
  ])
  return { code, stdout, stderr }
}
