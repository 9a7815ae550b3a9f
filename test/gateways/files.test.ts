// Channels as files to read from: what is read costs what it is, however long the text is that it stands in.
import { describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter, interpreters } from '../interpreters.js'

/** Bytes arrive as such, Python 2's as a text. */
const textOf = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString()

describe.each(interpreters())('makefile("r") on $name', ({ command }) => {
  const spec = `popen//python=${command}`

  it('reads what was asked for, wherever items end', async () => {
    await using group = await Group.open([spec])
    const channel = group.get(0).remoteExec(`
      f = channel.makefile('r')
      read = [f.read(0), f.read(3), f.readline(), f.readline(), f.read(4), f.read(0), f.readline(), f.read(2)]
      channel.send(read + [f.read(), f.read(), f.read(5), f.readline()])
    `)
    for (const text of ['ab', 'cd', '', 'e\nf', 'g', '\n12', '34', '56', '\n\n', 'rest', ' of it']) {
      await channel.send(text)
    }
    channel.sendEnd()
    const read = ['', 'abc', 'de\n', 'fg\n', '1234', '', '56\n', '\nr', 'est of it', '', '', '']
    expect(await channel.receive()).toEqual(read)
  })

  it('reads bytes, and keeps what has come when a read is interrupted', async () => {
    await using group = await Group.open([spec])
    const channel = group.get(0).remoteExec(`
      f = channel.makefile('r')
      channel.send(f.read(3))
      receive = channel.receive
      class Cut(object):
          id = channel.id
          left = 2
          def receive(self):
              if not self.left:
                  raise KeyboardInterrupt
              self.left -= 1
              return receive()
      f.channel = Cut()
      try:
          f.read()
      except KeyboardInterrupt:
          f.channel = channel
      channel.send(f.read())
    `)
    for (const text of ['abcd', 'ef', 'gh', 'ij']) await channel.send(Buffer.from(text))
    channel.sendEnd()
    expect(textOf(await channel.receive())).toBe('abc')
    expect(textOf(await channel.receive())).toBe('defghij')
  })
})

it('takes four times as long for four times as many lines, or as many items in one line', async () => {
  await using group = await Group.open([`popen//python=${anyInterpreter().command}`])
  const channel = group.get(0).remoteExec(`
      import os
      def cost(run):
          before = sum(os.times()[:2])
          run()
          return sum(os.times()[:2]) - before
      class Items(object):
          def __init__(self, texts):
              self.texts = iter(texts)
          def receive(self):
              for text in self.texts:
                  return text
              raise EOFError
      def lines(n):
          f.channel = Items([u'abc\\n' * n])
          for line in f: pass
      def pieces(n):
          f.channel = Items(u'x' * 200 for i in range(n))
          f.readline()
      f = channel.makefile('r')
      for run, n in ((lines, 100000), (pieces, 8000)):
          run(n)
          channel.send([cost(lambda: run(n)), cost(lambda: run(4 * n))])
    `)
  for (let i = 0; i < 2; i++) {
    const [once, fourTimes] = (await channel.receive()) as [number, number]
    expect(fourTimes).toBeLessThan(8 * once + 0.3) // seconds of CPU; os.times counts hundredths
  }
})
