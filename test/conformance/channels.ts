// Channels as the controller holds them: waiting, closing both ways, iteration, streams, channels over channels.
import { expect, it } from 'vitest'
import {
  type Channel,
  ChannelClosedError,
  DumpError,
  EndOfChannelError,
  RemoteError,
  TimeoutError,
} from '../../src/index.js'
import { errorOf } from '../failing.js'
import type { Subject } from './subject.js'

const echo = 'for item in channel: channel.send(item)'

export function channelSuite(subject: Subject): void {
  const exec = <R = unknown, S = unknown>(source: string, kwargs?: Record<string, unknown>): Channel<R, S> =>
    subject.gateway.remoteExec<R, S>(source, kwargs)

  it('rejects a receive when the time is up and delivers the item that comes later', async () => {
    const channel = exec(echo)
    const began = performance.now()
    // Timers run in the order of their times, however late they are.
    const later = new Promise((resolve) => setTimeout(resolve, 600, 'later'))
    expect(await Promise.race([errorOf(channel.receive({ timeout: 200 })), later])).toBeInstanceOf(TimeoutError)
    expect(performance.now() - began).toBeGreaterThan(190)
    await channel.send('late')
    expect(await channel.receive()).toBe('late')
    await channel.close()
  })

  it('only looks with a timeout of 0', async () => {
    const channel = exec(echo)
    await expect(channel.receive({ timeout: 0 })).rejects.toThrow(TimeoutError)
    await channel.send(1)
    const other = exec('channel.send(2)')
    await other.waitClose()
    expect(await other.receive({ timeout: 0 })).toBe(2)
    await channel.close()
  })

  it('rejects with the reason of an abort and stays usable', async () => {
    await using channel = exec(echo)
    const reason = new Error('no longer wanted')
    const controller = new AbortController()
    const receiving = channel.receive({ signal: controller.signal })
    controller.abort(reason)
    await expect(receiving).rejects.toBe(reason)
    await expect(channel.waitClose({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
  })

  it('waits for the close, and rejects when the time is up', async () => {
    const channel = exec('channel.receive()')
    await expect(channel.waitClose({ timeout: 20 })).rejects.toThrow(TimeoutError)
    await channel.send(null)
    await channel.waitClose()
    expect(channel.isClosed).toBe(true)
  })

  it('delivers items queued before the close, then the end every time', async () => {
    const channel = exec('channel.send(1); channel.send(2)')
    await channel.waitClose()
    expect([await channel.receive(), await channel.receive()]).toEqual([1, 2])
    await expect(channel.receive()).rejects.toThrow(EndOfChannelError)
    await expect(channel.receive()).rejects.toThrow(EndOfChannelError)
  })

  it('serves those who wait in the order in which they came', async () => {
    const channel = exec('for i in range(3): channel.send(i)')
    expect(await Promise.all([channel.receive(), channel.receive(), channel.receive()])).toEqual([0, 1, 2])
  })

  it('iterates until the end', async () => {
    const items = []
    for await (const item of exec('for i in range(3): channel.send(i)')) items.push(item)
    expect(items).toEqual([0, 1, 2])
  })

  it('throws the remote failure out of an iteration', async () => {
    const items: unknown[] = []
    const iterating = (async () => {
      for await (const item of exec('channel.send(1); raise ValueError("17")')) items.push(item)
    })()
    await expect(iterating).rejects.toThrow('ValueError: 17')
    expect(items).toEqual([1])
  })

  it('closes the channel when an iteration is left', async () => {
    const channel = exec('channel.send(1)\nfor item in channel: pass')
    for await (const _ of channel) break
    expect(channel.isClosed).toBe(true)
    await expect(channel.receive()).rejects.toThrow(EndOfChannelError)
  })

  it('ends a remote receive when it is closed here, without a failure there', async () => {
    const report = subject.gateway.newChannel()
    const channel = exec('try:\n    channel.receive()\nexcept EOFError:\n    report.send("end of file")', { report })
    await channel.close()
    await channel.close()
    expect(await report.receive()).toBe('end of file')
    await channel.waitClose()
    await report.close()
  })

  it('raises RemoteError with exactly the text of a close in the worker', async () => {
    const report = subject.gateway.newChannel()
    const source = `
      for attempt in range(2):
          try:
              channel.receive()
          except channel.RemoteError as e:
              report.send([e.args[0], e.formatted])
    `
    await exec(source, { report }).close('out of paper: 50 % é')
    expect(await report.receive()).toEqual(['out of paper: 50 % é', 'out of paper: 50 % é'])
    expect(await report.receive()).toEqual(['out of paper: 50 % é', 'out of paper: 50 % é'])
    await report.close()
  })

  it('rejects with exactly the text of a close in the worker', async () => {
    const sub = subject.gateway.newChannel()
    const channel = exec('sub.send(1); sub.close("out of ink")', { sub })
    await channel.waitClose()
    expect(await sub.receive()).toBe(1)
    const error: unknown = await errorOf(sub.receive())
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toMatchObject({ message: 'out of ink', traceback: 'out of ink', type: '' })
    await expect(sub.waitClose()).rejects.toThrow('out of ink')
  })

  it('refuses to send on a channel that is closed, by either side', async () => {
    const ours = exec(echo)
    await ours.close()
    await expect(ours.send(1)).rejects.toThrow(ChannelClosedError)
    const theirs = exec('pass')
    await theirs.waitClose()
    await expect(theirs.send(1)).rejects.toThrow(ChannelClosedError)
  })

  it('sends in the order of the calls, awaited or not', async () => {
    const channel = exec('channel.send([channel.receive() for i in range(100)])')
    for (let i = 0; i < 100; i++) void channel.send(i)
    expect(await channel.receive()).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('ends the remote iteration with sendEnd while results still arrive', async () => {
    const channel = exec<number, number>('channel.send(sum(channel))')
    for (const n of [1, 2, 3]) await channel.send(n)
    channel.sendEnd()
    expect(await channel.receive()).toBe(6)
    await expect(channel.send(4)).rejects.toThrow(ChannelClosedError)
  })

  it('carries channels inside of structures, and gives the same object back', async () => {
    const [one, two] = [subject.gateway.newChannel(), subject.gateway.newChannel()]
    const channel = exec('one, rest = channel.receive()\nrest["two"].send(one.receive() + 1)\nchannel.send([one])')
    await channel.send([one, { two }])
    await one.send(1)
    expect(await two.receive()).toBe(2)
    expect(((await channel.receive()) as unknown[])[0]).toBe(one)
    await Promise.all([one.close(), two.close()])
  })

  it('receives channels that the worker opened', async () => {
    const channel = exec<Channel>(
      'c = channel.gateway.newchannel(); channel.send(c); c.send(c.receive() * 2); c.close()',
    )
    const opened = await channel.receive()
    expect(opened.gateway).toBe(subject.gateway)
    await opened.send(21)
    expect(await opened.receive()).toBe(42)
    await opened.waitClose()
  })

  it('receives a channel that is over before it has been looked at', async () => {
    const channel = exec<Channel>('c = channel.gateway.newchannel(); channel.send(c); c.send("left behind"); c.close()')
    await channel.waitClose()
    const over = await channel.receive()
    expect(await over.receive()).toBe('left behind')
    await expect(over.receive()).rejects.toThrow(EndOfChannelError)
  })

  it('refuses a channel of another gateway, and the channel stays usable', async () => {
    await using other = await subject.open()
    const channel = exec(echo)
    await expect(channel.send([other.newChannel()])).rejects.toThrow(DumpError)
    await channel.send(1)
    expect(await channel.receive()).toBe(1)
    await channel.close()
  })

  it('is a pair of Web streams', async () => {
    const channel = exec<number, number>('for n in channel: channel.send(n * n)')
    const numbers = new ReadableStream<number>({
      start: (controller) => {
        for (const n of [1, 2, 3]) controller.enqueue(n)
        controller.close()
      },
    })
    const [, squares] = await Promise.all([numbers.pipeTo(channel.writable), collect(channel.readable)])
    expect(squares).toEqual([1, 4, 9])
  })

  it('closes the channel when its stream is cancelled', async () => {
    const report = subject.gateway.newChannel()
    const channel = exec('for item in channel: pass\nreport.send("ended")', { report })
    await channel.readable.cancel()
    expect(await report.receive()).toBe('ended')
    await report.close()
  })

  it('keeps the order and the types of items that leave in one turn', async () => {
    await using channel = exec(echo)
    const items = Array.from(
      { length: 3000 },
      (_, i) => [i, -i / 2, `text ${i}`, i % 2 === 0, null, [i], 'x'.repeat(80)][i % 7],
    )
    for (const item of items) void channel.send(item)
    const received: unknown[] = []
    while (received.length < items.length) received.push(await channel.receive())
    expect(received).toEqual(items)
  })

  it('hands items that leave in one turn to all who wait for one', async () => {
    await using channel = exec(`
      import threading
      def take():
          channel.send(channel.receive() + 100)
      threads = [threading.Thread(target=take) for _ in range(3)]
      for thread in threads: thread.start()
      for thread in threads: thread.join()
    `)
    for (const item of [1, 2, 3]) void channel.send(item)
    const answers = [await channel.receive(), await channel.receive(), await channel.receive()]
    expect(new Set(answers)).toEqual(new Set([101, 102, 103]))
  })

  it.each([2 ** 16 - 1, 2 ** 16, 2 ** 18 - 8, 2 ** 18, 2 ** 18 + 1, 2 ** 20 + 3])(
    'carries %i bytes as they are, both ways and between other items',
    async (length) => {
      await using channel = exec(echo)
      const bytes = Uint8Array.from({ length }, (_, i) => i % 251)
      for (const item of [1, bytes, 2]) void channel.send(item)
      expect(await channel.receive()).toBe(1)
      expect(Buffer.compare((await channel.receive()) as Uint8Array, bytes)).toBe(0)
      expect(await channel.receive()).toBe(2)
    },
  )

  it('carries items larger than a frame, both ways', async () => {
    const channel = exec<Uint8Array, Uint8Array>(echo)
    const sent = new Uint8Array(3 * 1024 * 1024 + 1).map((_, index) => index % 251)
    await channel.send(sent)
    expect(Buffer.compare(await channel.receive(), sent)).toBe(0)
    await channel.close()
  })

  it('keeps hundreds of channels apart', async () => {
    const channel = exec(
      'while True:\n    c = channel.receive()\n    if c is None: break\n    c.send(c.receive())\n    c.close()',
    )
    const subs = Array.from({ length: 300 }, () => subject.gateway.newChannel<number, number>())
    subs.forEach((sub, index) => {
      void channel.send(sub)
      void sub.send(index)
    })
    expect(await Promise.all(subs.map((sub) => sub.receive()))).toEqual(subs.map((_, index) => index))
    await channel.send(null)
    await channel.waitClose()
  })
}

async function collect<T>(stream: ReadableStream<T>): Promise<T[]> {
  const items = []
  for await (const item of stream) items.push(item)
  return items
}
