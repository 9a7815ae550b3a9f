// A channel that code in the worker has let go of is over, as soon as no reference to it is on its way there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Channel, ChannelClosedError, EndOfChannelError, type Gateway, Group } from '../../src/index.js'
import { chosenInterpreters } from '../interpreters.js'

describe.each(chosenInterpreters())('a channel that is dropped on $name', ({ command }) => {
  const group = new Group()
  let gateway: Gateway
  const collect = () => gateway.remoteExec('import gc; gc.collect()').waitClose()
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })
  afterAll(() => group.terminate())

  it('is over behind what was sent on it', async () => {
    const maker = gateway.remoteExec<Channel>(
      'sub = channel.gateway.newchannel(); channel.send(sub); sub.send(1); del sub\nimport gc; gc.collect()\nchannel.receive()',
    )
    const sub = await maker.receive()
    expect(await sub.receive()).toBe(1)
    await expect(sub.receive()).rejects.toBeInstanceOf(EndOfChannelError)
    await expect(sub.send(1)).rejects.toBeInstanceOf(ChannelClosedError)
    await maker.close()
  })

  it('is over when the task that it was given to has ended, and takes nothing any more', async () => {
    const sub = gateway.newChannel<number, Uint8Array>()
    const holder = gateway.remoteExec('channel.receive()', { sub })
    const sends = Array.from({ length: 40 }, () => sub.send(new Uint8Array(1024 * 1024)))
    await holder.send(null)
    await holder.waitClose()
    await collect()
    const outcomes = await Promise.allSettled(sends)
    expect(outcomes.at(-1)).toEqual({ status: 'rejected', reason: expect.any(ChannelClosedError) })
    await sub.waitClose()
  })

  it('goes on while another task holds it, or a reference to it is on its way', async () => {
    const sub = gateway.newChannel<number>()
    const [first, second] = [1, 2].map((n) => gateway.remoteExec('channel.receive(); sub.send(n)', { sub, n }))
    await first?.send(null)
    await first?.waitClose()
    await collect()
    const third = gateway.remoteExec('sub.send(3)', { sub })
    await third.waitClose()
    await second?.send(null)
    await second?.waitClose()
    await collect()
    expect([await sub.receive(), await sub.receive(), await sub.receive()]).toEqual([1, 3, 2])
    await expect(sub.receive()).rejects.toBeInstanceOf(EndOfChannelError)
  })

  it('keeps its callback', async () => {
    const [sub, report] = [gateway.newChannel<number, number>(), gateway.newChannel<number>()]
    await gateway
      .remoteExec('def double(item): report.send(item * 2)\nsub.setcallback(double)\ndel sub', { sub, report })
      .waitClose()
    await collect()
    await sub.send(4)
    expect(await report.receive()).toBe(8)
    await sub.close()
  })

  it('is the same object here, also when it comes back after its end', async () => {
    const sub = gateway.newChannel()
    const echo = gateway.remoteExec('sub = channel.receive()\nchannel.send([sub])\ndel sub')
    await echo.send(sub)
    await echo.waitClose()
    await collect()
    await sub.waitClose()
    expect(((await echo.receive()) as unknown[])[0]).toBe(sub)
  })
})
