// remoteExec that is aborted: its channel ends with the reason, behind the items that came before.
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, type OutputLine, RemoteError } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { errorOf, occupyMain } from './aborting.js'
import { pythons } from './pythons.js'

const output: OutputLine[] = []
const group = new Group({ onOutput: (line) => output.push(line) })
afterAll(() => group.terminate())

describe.each(pythons)('an exec that can be aborted, on $name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it('is as any other while nobody aborts it', async () => {
    const { signal } = new AbortController()
    const channel = gateway.remoteExec<unknown>('channel.send([n, __name__])\nprint("from it")', { n: 1 }, { signal })
    expect(await channel.receive()).toEqual([1, '__channelexec__'])
    await channel.waitClose()
    expect(output.at(-1)).toMatchObject({ channel: channel.id, text: 'from it' })
    await expect.poll(() => getEventListeners(signal, 'abort')).toHaveLength(0) // the reply is behind the close
    const failing = gateway.remoteExec('1/0', {}, { signal })
    expect(await errorOf(failing.waitClose())).toBeInstanceOf(RemoteError)
    await gateway.remoteExec('channel.receive(); channel.receive()', {}, { signal }).close()
  })

  it.each(['channel.receive()', 'for item in channel: pass', 'import time; time.sleep(30)', 'while True: pass'])(
    'ends with the reason when it is aborted: %s',
    async (code) => {
      const controller = new AbortController()
      const channel = gateway.remoteExec<string>(
        `channel.send('begun')\ntry:\n  ${code}\nfinally:\n  channel.send('cleaned up')`,
        {},
        { signal: controller.signal },
      )
      expect(await channel.receive()).toBe('begun')
      const reason = new Error('enough')
      controller.abort(reason)
      expect(await errorOf(channel.waitClose())).toBe(reason)
      expect(await channel.receive()).toBe('cleaned up')
      expect(await errorOf(channel.receive())).toBe(reason)
      expect(channel.isClosed).toBe(true)
    },
  )
})

describe('an exec that can be aborted', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}//execmodel=main_thread_only`)
  })

  it('is not sent when the signal has been aborted before, nor when a value cannot be', () => {
    expect(() => gateway.remoteExec('pass', {}, { signal: AbortSignal.abort('too late') })).toThrow('too late')
    expect(() => gateway.remoteExec('pass', { bad: new WeakMap() }, { timeout: 1000 })).toThrow(/WeakMap/)
  })

  it('is taken back when it has not begun', async () => {
    const release = occupyMain(gateway)
    const channel = gateway.remoteExec('raise SystemExit("it ran")', {}, { timeout: 20 })
    expect(await errorOf(channel.waitClose())).toMatchObject({
      name: 'TimeoutError',
      message: 'the exec of <remote exec> took more than 20 ms',
    })
    expect(channel.isClosed).toBe(true)
    await release()
    expect(await gateway.remoteStatus()).toMatchObject({ numExecuting: 0 })
  })

  it('forgets its channel on both sides when it is over', async () => {
    const { numChannels } = await gateway.remoteStatus()
    for (let turn = 0; turn < 20; turn++) {
      await errorOf(gateway.remoteExec('channel.receive()', {}, { timeout: 5 }).waitClose())
    }
    await gateway.call('len', ['']) // what closes is over by then
    expect(await gateway.remoteStatus()).toMatchObject({ numChannels })
  })
})
