// remoteExec that is aborted: its channel ends with the reason, behind the items that came before.
import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type GatewayStatus, Group, type OutputLine, RemoteError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { occupyMain } from './aborting.js'
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
    await expect.poll(async () => (await gateway.remoteStatus()).numExecuting).toBe(0)
  })

  // CPython 3.11 and 3.12 raise an interrupt of `while True: pass` outside the `try` that the loop is the first line of.
  const loop = 'n = 0\n  while True: n += 1'
  it.each(['channel.receive()', 'for item in channel: pass', 'import time; time.sleep(30)', loop])(
    'ends with the reason when it is aborted: %s',
    async (code) => {
      // The interrupt is waited for, but not longer than a busy machine may take: what it does is told by another channel.
      const witness = gateway.newChannel<string>()
      const controller = new AbortController()
      const channel = gateway.remoteExec<string>(
        `channel.send('kept')\ntry:\n  witness.send('begun')\n  ${code}\nfinally:\n  witness.send('cleaned up')`,
        { witness },
        { signal: controller.signal },
      )
      expect(await witness.receive()).toBe('begun')
      const reason = new Error('enough')
      controller.abort(reason)
      expect(await errorOf(channel.waitClose())).toBe(reason)
      expect(await witness.receive()).toBe('cleaned up')
      expect(await channel.receive()).toBe('kept')
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
    await gateway.eval('0') // what performs requests is there, however long that took
    const release = occupyMain(gateway)
    const channel = gateway.remoteExec('raise SystemExit("it ran")', {}, { timeout: 20 })
    expect(await errorOf(channel.waitClose())).toMatchObject({
      name: 'TimeoutError',
      message: 'the exec of <remote exec> took more than 20 ms',
    })
    expect(channel.isClosed).toBe(true)
    await release()
    await expect.poll(() => gateway.remoteStatus()).toMatchObject({ numExecuting: 0 }) // it is still read, for the references in it
  })

  it('is taken back while the worker gets ready for requests', async () => {
    const own = await group.makeGateway(`popen//python=${anyInterpreter().command}//execmodel=main_thread_only`)
    const slow = 'import sys, time; sys.addaudithook(lambda event, args: event == "compile" and time.sleep(0.1))'
    await own.remoteExec(slow).waitClose()
    const release = occupyMain(own)
    expect(await errorOf(own.remoteExec('pass', {}, { timeout: 20 }).waitClose())).toMatchObject({
      message: 'the exec of <remote exec> took more than 20 ms',
    })
    await release()
  })

  it('forgets its channel on both sides when it is over', async () => {
    const own = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    await own.call('len', [''])
    const { numChannels } = await own.remoteStatus() // those of calls, and one or two that are closing
    for (let turn = 0; turn < 20; turn++) {
      await errorOf(own.remoteExec('channel.receive()', {}, { timeout: 5 }).waitClose())
    }
    await expect
      .poll(() => own.remoteStatus())
      .toSatisfy((status: GatewayStatus) => status.numExecuting === 0 && status.numChannels <= numChannels)
  })
})
