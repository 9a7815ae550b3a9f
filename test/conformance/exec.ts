// What remote code finds around it, and where it may come from.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { DumpError } from '../../src/index.js'
import type { Subject } from './subject.js'

export function execSuite(subject: Subject): void {
  it('answers what it is sent', async () => {
    const channel = subject.gateway.remoteExec<number, number>('channel.send(channel.receive() + 1)')
    await channel.send(1)
    expect(await channel.receive()).toBe(2)
  })

  it('finds nothing in scope but the channel, its name and the builtins', async () => {
    const channel = subject.gateway.remoteExec('channel.send([sorted(globals()), __name__])')
    expect(await channel.receive()).toEqual([['__builtins__', '__name__', 'channel'], '__channelexec__'])
  })

  it('forgets globals between two runs and keeps what modules hold', async () => {
    await subject.gateway.remoteExec('import sys; leftover = sys.tendril_kept = 1').waitClose()
    const channel = subject.gateway.remoteExec('import sys; channel.send(["leftover" in globals(), sys.tendril_kept])')
    expect(await channel.receive()).toEqual([false, 1])
  })

  it('begins with no exception at hand', async () => {
    const channel = subject.gateway.remoteExec('import sys; channel.send(list(sys.exc_info()))')
    expect(await channel.receive()).toEqual([null, null, null])
  })

  it('binds keyword arguments as names in scope', async () => {
    const channel = subject.gateway.remoteExec('channel.send([a, b])', { a: 1, b: ['x', null] })
    expect(await channel.receive()).toEqual([1, ['x', null]])
  })

  it('calls a function of a text with the channel and keyword arguments', async () => {
    const text = `
      def add(channel, a, b=10):
          channel.send(a + b)
    `
    expect(await subject.gateway.remoteExec({ text, function: 'add' }, { a: 1 }).receive()).toBe(11)
  })

  it('runs a function of a file, named as path or as URL', async () => {
    await withFile('def double(channel, n):\n    channel.send(2 * n)\n', async (file) => {
      const channels = [file, pathToFileURL(file)].map((name) =>
        subject.gateway.remoteExec({ file: name, function: 'double' }, { n: 4 }),
      )
      expect(await Promise.all(channels.map((channel) => channel.receive()))).toEqual([8, 8])
    })
  })

  it('runs the text that a file has now, and does not need the file afterwards', async () => {
    await withFile('channel.send(channel.receive())', async (file) => {
      const first = subject.gateway.remoteExec<string>({ file })
      writeFileSync(file, 'channel.send("edited")')
      const second = subject.gateway.remoteExec(pathToFileURL(file))
      rmSync(file)
      await first.send('unedited')
      expect([await first.receive(), await second.receive()]).toEqual(['unedited', 'edited'])
    })
  })

  it.skipIf(subject.isPython2)(
    'awaits the function of a task in its own thread, and leaves its event loop as asyncio.run does',
    async () => {
      const text = `
      import asyncio, functools, threading

      async def endless():
          try:
              while True: yield 1
          finally:
              seen.append("generator closed")

      async def left_over():
          try: await asyncio.sleep(1000)
          finally: seen.append("task cancelled")

      seen, where = [], threading.get_ident()
      async def task(channel, n=1):
          task.kept = [endless(), asyncio.get_event_loop().create_task(left_over())]
          async for item in task.kept[0]: break
          await asyncio.sleep(0)
          channel.send([n, threading.get_ident() == where])
          channel.gateway.seen = seen

      async def fails(channel):
          await asyncio.sleep(0)
          raise ValueError("awaited")

      def plain(channel): return task(channel, 3)

      class Task:
          async def __call__(self, channel): await task(channel, 4)

      partial, called = functools.partial(task, n=2), Task()
    `
      const results = ['task', 'partial', 'plain', 'called'].map(async (name) => {
        const channel = subject.gateway.remoteExec<[number, boolean]>({ text, function: name })
        const result = await channel.receive()
        await channel.waitClose()
        return result
      })
      expect(await Promise.all(results)).toEqual([1, 2, 3, 4].map((n) => [n, true]))
      expect(
        (await subject.gateway.remoteExec<string[]>('channel.send(channel.gateway.seen)').receive()).sort(),
      ).toEqual(['generator closed', 'task cancelled'])
      await expect(subject.gateway.remoteExec({ text, function: 'fails' }).waitClose()).rejects.toMatchObject({
        type: 'ValueError',
      })
    },
  )

  it('says that a generator does nothing as the function of a task', async () => {
    const functions = [
      'def task(channel):\n    yield 1',
      'def made(channel):\n    yield 1\ntask = lambda channel: made(channel)',
    ]
    if (!subject.isPython2) functions.push('async def task(channel):\n    yield 1')
    for (const text of functions) {
      const message = /^TypeError: nothing of (task|made) has run: it is a generator/
      await expect(subject.gateway.remoteExec({ text, function: 'task' }).waitClose()).rejects.toThrow(message)
    }
  })

  it('takes a text that is indented as a whole', async () => {
    const channel = subject.gateway.remoteExec(`
      if True:

          channel.send('dedented')
    `)
    expect(await channel.receive()).toBe('dedented')
  })

  it('keeps characters beyond ASCII in a source', async () => {
    const channel = subject.gateway.remoteExec('channel.send([u"é😀", len(u"é")])')
    expect(await channel.receive()).toEqual(['é😀', 1])
  })

  it('ends at once for an empty source', async () => {
    await subject.gateway.remoteExec('').waitClose()
  })

  it('refuses a keyword argument that has no wire type and stays usable', async () => {
    expect(() => subject.gateway.remoteExec('pass', { fine: 1, wrong: new WeakMap() })).toThrow(DumpError)
    expect(await subject.gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('names a file that does not exist', () => {
    expect(() => subject.gateway.remoteExec({ file: '/nowhere/task.py' })).toThrow(/ENOENT.*\/nowhere\/task\.py/)
  })

  it('can import what is in the working directory', async () => {
    const channel = subject.gateway.remoteExec('import sys; channel.send("" in sys.path)')
    expect(await channel.receive()).toBe(true)
  })
}

async function withFile(text: string, use: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-exec-'))
  try {
    writeFileSync(join(folder, 'task.py'), text)
    await use(join(folder, 'task.py'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
