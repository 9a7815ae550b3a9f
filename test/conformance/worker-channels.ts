// Channels as code in the worker holds them: execnet's names and meanings.
import { expect, it } from 'vitest'
import type { Subject } from './subject.js'

export function workerChannelSuite(subject: Subject): void {
  const first = (source: string): Promise<unknown> => subject.gateway.remoteExec(source).receive()

  it('raises TimeoutError from receive and stays usable', async () => {
    const channel = subject.gateway.remoteExec(`
      try:
          channel.receive(timeout=0.05)
      except channel.TimeoutError:
          channel.send('timed out')
      try:
          channel.receive(0)
      except channel.TimeoutError:
          channel.send('again')
      channel.send(channel.receive(timeout=10))
    `)
    expect([await channel.receive(), await channel.receive()]).toEqual(['timed out', 'again'])
    await channel.send('late')
    expect(await channel.receive()).toBe('late')
  })

  it('raises ValueError for a negative timeout', async () => {
    expect(await first('try:\n    channel.receive(-1)\nexcept ValueError:\n    channel.send("refused")')).toBe(
      'refused',
    )
  })

  it('waits for the close of another channel, or until the time is up', async () => {
    const sub = subject.gateway.newChannel()
    const channel = subject.gateway.remoteExec(
      `
      try:
          sub.waitclose(0.05)
      except channel.TimeoutError:
          channel.send('still open')
      sub.waitclose(10)
      channel.send(sub.isclosed())
    `,
      { sub },
    )
    expect(await channel.receive()).toBe('still open')
    await sub.close()
    expect(await channel.receive()).toBe(true)
  })

  it('raises the text of a close from waitclose, every time', async () => {
    const sub = subject.gateway.newChannel()
    const source = `
      for attempt in range(2):
          try:
              sub.waitclose(10)
          except sub.RemoteError as e:
              channel.send(str(e))
    `
    const channel = subject.gateway.remoteExec(source, { sub })
    await sub.close('broken')
    expect([await channel.receive(), await channel.receive()]).toEqual(['broken', 'broken'])
  })

  it('knows whether it is closed, and raises IOError when it is sent to', async () => {
    const source = `
      sub = channel.gateway.newchannel()
      before = sub.isclosed()
      sub.close()
      sub.close()
      try:
          sub.send(1)
      except IOError as e:
          channel.send([before, sub.isclosed(), 'cannot send' in str(e)])
    `
    expect(await first(source)).toEqual([false, true, true])
  })

  it('prints into a channel through a file', async () => {
    const channel = subject.gateway.remoteExec(`
      from __future__ import print_function
      with channel.makefile('w') as f:
          print(u'hello', 3, file=f)
          f.flush()
          channel.send(f.isatty())
    `)
    const items = []
    for await (const item of channel) items.push(item)
    expect(items.at(-1)).toBe(false)
    expect(items.slice(0, -1).join('')).toBe('hello 3\n')
  })

  it('reads lines and characters across items through a file', async () => {
    const channel = subject.gateway.remoteExec(`
      f = channel.makefile('r')
      channel.send([f.readline(), f.readline(), f.read(2), f.read(100), f.read(1), f.readline()])
    `)
    for (const text of ['a\nb', 'c\nde', 'f']) await channel.send(text)
    channel.sendEnd()
    expect(await channel.receive()).toEqual(['a\n', 'bc\n', 'de', 'f', '', ''])
  })

  it('iterates over the lines of a file', async () => {
    const channel = subject.gateway.remoteExec('channel.send(list(channel.makefile("r")))')
    for (const text of ['one\ntw', 'o\nthree']) await channel.send(text)
    channel.sendEnd()
    expect(await channel.receive()).toEqual(['one\n', 'two\n', 'three'])
  })

  it('refuses a mode of a file that there is not', async () => {
    expect(
      await first('try:\n    channel.makefile("rw")\nexcept ValueError as e:\n    channel.send(str(e))'),
    ).toContain("'rw'")
  })

  it('closes the channel with its file where that is asked for', async () => {
    const sub = subject.gateway.newChannel()
    const channel = subject.gateway.remoteExec(
      'f = sub.makefile("w", proxyclose=True)\nf.write(u"x")\nf.close()\nchannel.send(sub.isclosed())',
      { sub },
    )
    expect(await channel.receive()).toBe(true)
    expect(await sub.receive()).toBe('x')
    await sub.waitClose()
  })

  it('goes on with its code after its own channel has been closed', async () => {
    const report = subject.gateway.newChannel()
    const channel = subject.gateway.remoteExec('channel.close("enough")\nreport.send(channel.isclosed())', { report })
    await expect(channel.receive()).rejects.toThrow('enough')
    expect(await report.receive()).toBe(true)
    await report.close()
  })

  it('sends from many threads at once without mixing items', async () => {
    const channel = subject.gateway.remoteExec<[number, number, string]>(`
      import threading
      def work(n):
          for i in range(20):
              channel.send([n, i, 'x' * 70000])
      threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
      [t.start() for t in threads]
      [t.join() for t in threads]
    `)
    const seen = new Map<number, number[]>()
    for await (const [n, i] of channel) seen.set(n, [...(seen.get(n) ?? []), i])
    expect([...seen.values()]).toEqual(new Array(5).fill(Array.from({ length: 20 }, (_, i) => i)))
  })
}
