// Several tasks at once: threads, the main thread, and answers while tasks are busy.
import { expect, it } from 'vitest'
import type { Channel, Gateway } from '../../src/index.js'
import { until } from '../waiting.js'
import type { Subject } from './subject.js'

// The thread of this task as ‘main’ or ‘other’, by the identity that the first task of the gateway saw.
const nameThread = `
try:
    import _thread as thread
except ImportError:
    import thread
import _tendril
channel.send('main' if thread.get_ident() == _tendril.worker.main else 'other')
channel.receive()
`

export function concurrencySuite(subject: Subject): void {
  it('lets several tasks that wait go on, the first one on the main thread', async () => {
    await using gateway = await subject.open()
    const tasks = [1, 2, 3].map(() => gateway.remoteExec(nameThread))
    expect(await Promise.all(tasks.map((task) => task.receive()))).toEqual(['main', 'other', 'other'])
    await endAll(tasks)
  })

  it('tells threading which thread is the main one, also when a second task imports it first', async () => {
    await using gateway = await subject.open()
    const first = gateway.remoteExec(
      'channel.receive()\nimport threading\nchannel.send(threading.current_thread().name)',
    )
    const source =
      'import threading\nchannel.send([threading.current_thread().name == "MainThread", threading.enumerate()[0].name])'
    expect(await gateway.remoteExec(source).receive()).toEqual([false, 'MainThread'])
    await first.send(null)
    expect(await first.receive()).toBe('MainThread')
  })

  it('counts tasks and channels, and answers while tasks block and while one computes', async () => {
    await using gateway = await subject.open()
    const before = await gateway.remoteStatus()
    expect(before).toEqual({ numChannels: 0, numExecuting: 0, execModel: 'thread' })
    const tasks = [
      gateway.remoteExec(nameThread),
      gateway.remoteExec('channel.send(1)\nwhile not channel.isclosed(): pass'),
    ]
    await Promise.all(tasks.map((task) => task.receive()))
    expect(await gateway.remoteStatus()).toMatchObject({ numExecuting: 2, numChannels: 2 })
    await endAll(tasks)
    await settles(gateway, 0)
  })

  it('counts a task from when it was sent until its end is told, and runs what was sent ahead of the end of the gateway', async () => {
    await using gateway = await subject.open()
    const failing = Array.from({ length: 50 }, () => gateway.remoteExec('1 // 0'))
    await until(async () => (await gateway.remoteStatus()).numExecuting === 0)
    const last = gateway.remoteExec('channel.send(1)')
    await gateway.exit()
    for (const task of failing) await expect(task.waitClose()).rejects.toThrow('ZeroDivisionError')
    expect(await last.receive()).toBe(1)
  })

  it('tells about its interpreter', async () => {
    const info = await subject.gateway.info()
    const channel = subject.gateway.remoteExec(
      'import os, sys; channel.send([os.getpid(), sys.executable, list(sys.version_info), os.getcwd()])',
    )
    expect([info.pid, info.executable, info.versionInfo, info.cwd]).toEqual(await channel.receive())
    expect(info.implementation).toBe(subject.name.includes('PyPy') ? 'PyPy' : 'CPython')
  })

  it('runs one task after the other on the main thread where main_thread_only is asked for, also after failures', async () => {
    await using gateway = await subject.open('execmodel=main_thread_only')
    expect((await gateway.remoteStatus()).execModel).toBe('main_thread_only')
    for (let run = 0; run < 10; run++) {
      const channel = gateway.remoteExec(`${nameThread}\nraise ValueError(run)`, { run })
      expect(await channel.receive()).toBe('main')
      await channel.send(null)
      await expect(channel.waitClose()).rejects.toThrow(`ValueError: ${run}`)
    }
  })

  it('queues tasks where main_thread_only is asked for', async () => {
    await using gateway = await subject.open('execmodel=main_thread_only')
    const report = gateway.newChannel()
    const tasks = [1, 2, 3].map((n) =>
      gateway.remoteExec('report.send(["begin", n]); channel.receive(); report.send(["end", n])', { report, n }),
    )
    for (const [index, task] of tasks.entries()) {
      expect(await report.receive()).toEqual(['begin', index + 1])
      expect((await gateway.remoteStatus()).numExecuting).toBe(1)
      await task.send(null)
      expect(await report.receive()).toEqual(['end', index + 1])
    }
  })

  it('refuses to wait on the main thread for a task that is queued behind it', async () => {
    await using gateway = await subject.open('execmodel=main_thread_only')
    const running = gateway.remoteExec('queued = channel.receive(); channel.receive(); queued.waitclose()')
    const queued = gateway.remoteExec('channel.send("after all")')
    await running.send(queued)
    await running.send('now')
    await expect(running.waitClose()).rejects.toThrow(
      'deadlock: the task of <Channel id=3 open> is queued behind this one',
    )
    expect(await queued.receive()).toBe('after all')
  })

  it('serves a small item while another channel sends a large one', async () => {
    const large = subject.gateway.remoteExec<string>('channel.receive(); channel.send("x" * (64 << 20))')
    const small = subject.gateway.remoteExec('for item in channel: channel.send(item)')
    await large.send('go')
    await small.send('ping')
    const winner = await Promise.race([large.receive().then(({ length }) => length), small.receive()])
    expect(winner).toBe('ping')
    await Promise.all([small.close(), large.close()])
  })

  it('ends every thread that receives on a channel, with each item given to one of them', async () => {
    const task = subject.gateway.remoteExec(`
        import threading
        inner, got = channel.receive(), []
        def take():
            try:
                while True:
                    got.append(inner.receive())
            except EOFError:
                got.append('end')
        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads: thread.start()
        channel.send('ready')
        for thread in threads: thread.join()
        channel.send(sorted(map(str, got)))
    `)
    const inner = subject.gateway.newChannel()
    await task.send(inner)
    await task.receive()
    await Promise.all([inner.send(1), inner.send(2), inner.close()])
    expect(await task.receive()).toEqual(['1', '2', 'end', 'end', 'end', 'end'])
  })
}

async function endAll(tasks: readonly Channel[]): Promise<void> {
  for (const task of tasks) await task.close()
}

/** A task that was told to end takes a moment. */
async function settles(gateway: Gateway, numExecuting: number): Promise<void> {
  let status = await gateway.remoteStatus()
  const end = performance.now() + 10_000
  while (status.numExecuting !== numExecuting && performance.now() < end) status = await gateway.remoteStatus()
  expect(status).toMatchObject({ numExecuting, numChannels: 0 })
}
