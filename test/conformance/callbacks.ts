// Items handed to a function as they arrive, on either side.
import { expect, it } from 'vitest'
import { ChannelClosedError } from '../../src/index.js'
import type { Subject } from './subject.js'

export function callbackSuite(subject: Subject): void {
  it('hands over what is queued, then what arrives, then the endmarker once', async () => {
    const channel = subject.gateway.remoteExec('channel.send(1); channel.send(2); channel.receive(); channel.send(3)')
    const items: unknown[] = [await channel.receive()]
    channel.setCallback((item) => void items.push(item), { endmarker: null })
    await channel.send('go on')
    await channel.waitClose()
    expect(items).toEqual([1, 2, 3, null])
  })

  it('gives the endmarker for a channel that has ended already', async () => {
    const channel = subject.gateway.remoteExec('channel.send(1)')
    await channel.waitClose()
    const items: unknown[] = []
    channel.setCallback((item) => void items.push(item), { endmarker: 'end' })
    await channel.waitClose()
    expect(items).toEqual([1, 'end'])
  })

  it('gives the endmarker after a failure, which waitClose rejects with', async () => {
    const channel = subject.gateway.remoteExec('raise ValueError("17")')
    const items: unknown[] = []
    channel.setCallback((item) => void items.push(item), { endmarker: 'end' })
    await expect(channel.waitClose()).rejects.toThrow('ValueError: 17')
    expect(items).toEqual(['end'])
  })

  it('is exclusive with receive and with another callback', async () => {
    await using channel = subject.gateway.remoteExec('channel.receive()')
    channel.setCallback(() => undefined)
    await expect(channel.receive()).rejects.toThrow(ChannelClosedError)
    expect(() => channel.setCallback(() => undefined)).toThrow(ChannelClosedError)
  })

  it('awaits a slow callback while other channels go on', async () => {
    const order: unknown[] = []
    let wake = (): void => undefined
    const slow = new Promise<void>((resolve) => {
      wake = resolve
    })
    const channel = subject.gateway.remoteExec('channel.send(1); channel.send(2)')
    channel.setCallback(async (item) => {
      await slow
      order.push(item)
    })
    order.push(await subject.gateway.remoteExec('channel.send("other")').receive())
    wake()
    await channel.waitClose()
    expect(order).toEqual(['other', 1, 2])
  })

  it('closes the channel when a callback throws, on both sides', async () => {
    const report = subject.gateway.newChannel()
    const source =
      'channel.send(1)\ntry:\n    channel.receive()\nexcept channel.RemoteError as e:\n    report.send(str(e))'
    const channel = subject.gateway.remoteExec(source, { report })
    const thrown = new Error('the disk is full')
    channel.setCallback(() => {
      throw thrown
    })
    await expect(channel.waitClose()).rejects.toBe(thrown)
    expect(await report.receive()).toContain('the disk is full')
    await report.close()
  })

  it('hands items to a callback in the worker, then the endmarker once', async () => {
    const report = subject.gateway.newChannel()
    const channel = subject.gateway.remoteExec(
      'channel.setcallback(report.send, endmarker=None)\nchannel.waitclose()\nreport.send("closed")',
      {
        report,
      },
    )
    for (const item of [1, 2]) await channel.send(item)
    await channel.close()
    const items = [await report.receive(), await report.receive(), await report.receive(), await report.receive()]
    expect(items).toEqual([1, 2, null, 'closed'])
    await report.close()
  })

  it('is exclusive with receive and with another callback in the worker', async () => {
    const channel = subject.gateway.remoteExec(`
      sub = channel.gateway.newchannel()
      sub.setcallback(str)
      for use in (sub.receive, lambda: sub.setcallback(str)):
          try:
              use()
          except IOError as e:
              channel.send(str(e))
    `)
    expect([await channel.receive(), await channel.receive()]).toEqual([
      expect.stringContaining('callback'),
      expect.stringContaining('callback'),
    ])
  })

  it('closes the channel with the failure of a callback in the worker, and others work', async () => {
    const sub = subject.gateway.newChannel()
    const channel = subject.gateway.remoteExec(
      'def fail(item): raise ValueError("cannot take %s" % item)\nsub.setcallback(fail)\nchannel.receive()',
      { sub },
    )
    await sub.send(7)
    await expect(sub.waitClose()).rejects.toThrow('ValueError: cannot take 7')
    await channel.send(null)
    await channel.waitClose()
    expect(await subject.gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('lets callbacks of both sides send large items to each other', async () => {
    const sub = subject.gateway.newChannel<Uint8Array, Uint8Array>()
    await subject.gateway.remoteExec('sub.setcallback(sub.send)', { sub }).waitClose()
    const item = new Uint8Array(4 * 1024 * 1024)
    let arrived = 0
    const all = new Promise<void>((resolve) => sub.setCallback(() => (++arrived === 8 ? resolve() : undefined)))
    for (let sent = 0; sent < 8; sent++) void sub.send(item)
    await all
    await sub.close()
  })
}
