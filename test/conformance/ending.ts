// How a gateway ends, and that everybody who waits learns it.
import { expect, it } from 'vitest'
import { type Channel, GatewayClosedError } from '../../src/index.js'
import { isGone, Mark, thoseThatStay } from '../processes.js'
import type { Subject } from './subject.js'

export function endingSuite(subject: Subject): void {
  it('settles everything that waits when the worker is killed, with the signal', async () => {
    const gateway = await subject.open()
    const channel = gateway.remoteExec('channel.send(1)\nimport time\nwhile True: time.sleep(10)')
    await channel.receive()
    const iterating = (async () => {
      for await (const _ of gateway.newChannel()) break
    })()
    const waiting = [
      channel.receive(),
      channel.waitClose(),
      iterating,
      fill(gateway.remoteExec('import time; time.sleep(100)')),
    ]
    const { pid } = await gateway.info()
    process.kill(pid, 'SIGSTOP') // or it might still answer
    waiting.push(channel.receive({ timeout: 10_000 }), gateway.remoteStatus())
    process.kill(pid, 'SIGKILL')
    const { reason, ...end } = subject.killedBy('SIGKILL')
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_GATEWAY_CLOSED', ...end } })
    }
    expect(await gateway.closed).toMatchObject({ reason, ...end })
  })

  it('tells the exit code and the last words of a worker that left by itself', async () => {
    const gateway = await subject.open()
    const channel = gateway.remoteExec(
      'import os, sys\nsys.stderr.write("no more paper\\n"); sys.stderr.flush(); os._exit(7)',
    )
    const { reason, ...end } = subject.exitedWith(7)
    const stderrTail = subject.lastWords('no more paper\n')
    await expect(channel.receive()).rejects.toMatchObject({ ...end, stderrTail })
    await expect(channel.receive()).rejects.toThrow(GatewayClosedError)
    expect(await gateway.closed).toMatchObject({ reason, ...end })
  })

  it('tells the last words of a crash', async () => {
    const gateway = await subject.open()
    const channel = gateway.remoteExec('import os\nos.write(2, b"Fatal: about to abort\\n")\nos.abort()')
    const { reason: _, ...end } = subject.killedBy('SIGABRT')
    const stderrTail = subject.lastWords(expect.stringContaining('about to abort'))
    await expect(channel.receive()).rejects.toMatchObject({ ...end, stderrTail })
  })

  it('delivers the items that arrived before a worker was killed', async () => {
    const gateway = await subject.open()
    const channel = gateway.remoteExec('channel.send(1); channel.send(2); import os; os._exit(0)')
    await gateway.closed
    expect([await channel.receive(), await channel.receive()]).toEqual([1, 2])
    await expect(channel.receive()).rejects.toThrow(GatewayClosedError)
  })

  it('gives the endmarker to a callback and a queue when the worker is killed, and then the reason', async () => {
    const gateway = await subject.open()
    const channel = gateway.remoteExec('channel.receive()')
    const items: unknown[] = []
    channel.setCallback((item) => void items.push(item), { endmarker: 'end' })
    gateway.remoteExec('import os; os._exit(1)')
    await expect(channel.waitClose()).rejects.toThrow(GatewayClosedError)
    expect(items).toEqual(['end'])
  })

  it('refuses what is asked of it after its end', async () => {
    const gateway = await subject.open()
    const channel = gateway.newChannel()
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(gateway.isReceiving).toBe(false)
    expect(() => gateway.remoteExec('pass')).toThrow(GatewayClosedError)
    await expect(gateway.remoteStatus()).rejects.toThrow(GatewayClosedError)
    await expect(channel.send(1)).rejects.toThrow()
    await gateway.exit()
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(await gateway.closed).toMatchObject({ reason: 'terminated' })
  })

  it('ends at once and leaves nothing when all tasks wait for items', async () => {
    const mark = new Mark()
    const gateway = await subject.open(mark.key)
    gateway.remoteExec('channel.receive()')
    gateway.remoteExec('for item in channel: pass')
    await gateway.remoteStatus()
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('runs exit functions when it leaves in peace', async () => {
    const gateway = await subject.open()
    await gateway.remoteExec('import atexit, os; atexit.register(os.write, 1, b"leaving\\n")').waitClose()
    await gateway.terminate({ timeout: Infinity })
    expect(subject.printed(gateway)).toEqual(['leaving'])
  })

  it('lets a forked child end as one of Python’s, without a part in the gateway', async () => {
    const channel = subject.gateway.remoteExec(`
import os, sys
pid = os.fork()
if pid == 0:
    try:
        channel.send('from the child')
    except IOError:
        sys.exit(3)
channel.send(os.waitpid(pid, 0)[1] >> 8)
`)
    expect(await channel.receive()).toBe(3)
    await channel.waitClose()
  })

  it('does not wait for a forked child that holds the pipes of a killed worker', async () => {
    const mark = new Mark()
    const gateway = await subject.open(mark.key)
    const channel = gateway.remoteExec<number>(forked)
    const child = await channel.receive()
    void channel.close()
    await gateway.closed
    // OpenSSH's client waits for the pipes, which before Python 3.7 the child holds until the guard ends it.
    expect(isGone(child) ? [] : await thoseThatStay(mark.pids)).toEqual([])
  })
}

const forked = `
import os, signal, time
child = os.fork()
if child == 0:
    time.sleep(100)
    os._exit(0)
channel.send(child)
try:
    channel.receive()
except EOFError:
    os.kill(os.getpid(), signal.SIGKILL)
`

/** Sends until the window is full and beyond. */
async function fill(channel: Channel): Promise<void> {
  const item = new Uint8Array(1024 * 1024)
  while (true) await channel.send(item)
}
