// Calls run one at a time: in which thread they do, what does not stand in their way, and calls amid a loop over an iterator.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, type RemoteIterator } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { pythons } from './pythons.js'

const group = new Group({ onOutput: () => undefined })
const folder = mkdtempSync(join(tmpdir(), 'tendril-order-'))
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

const isMain = 'import threading; type(threading.current_thread()).__name__ == "_MainThread"'
const database = `
  import sqlite3
  def connect():
      global connection
      connection = sqlite3.connect(':memory:')
      connection.execute('create table t (n integer)')
  def insert(n): connection.execute('insert into t values (?)', (n,))
  def rows(): return connection.execute('select n from t order by n')
  def count(): return connection.execute('select count(*) from t').fetchone()[0]
  def tail(lines):
      import time
      for at, line in enumerate(lines):
          while at >= 3 and count() < at: time.sleep(0.001)
          yield line
`

describe.each(pythons)('on $name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(database)
  })

  it('keeps one connection through calls, with a put, a forward, a via and a log beside them', async () => {
    await using log = await gateway.onLog(() => undefined)
    await using forward = await gateway.forward({ localListen: '127.0.0.1:0', to: '127.0.0.1:1' })
    const inner = await group.makeGateway(`popen//via=${gateway.id}//python=${command}`)
    let sent = 0
    const chunks = async function* () {
      for (; sent < 4; sent++) {
        await gateway.call('insert', [100 + sent])
        yield new Uint8Array(1 << 16)
      }
    }
    await gateway.call('connect')
    await gateway.put(chunks(), join(folder, 'put'))
    await Promise.all(Array.from({ length: 200 }, (_, n) => gateway.call('insert', [n])))
    expect(await gateway.call('count')).toBe(204)
    expect(await gateway.eval(isMain)).toBe(true)
    expect(await inner.eval(isMain)).toBe(true)
    expect([log.dropped, forward.connections]).toEqual([0, 0])
  })

  it('has tasks on the main thread, as soon as a call, or a task, is known to have ended', async () => {
    for (let n = 0; n < 200; n++) {
      await gateway.execute('x = 1')
      const task = gateway.remoteExec(`${isMain.replace('; ', '\nchannel.send(')})`)
      await task.waitClose()
      expect(await task.receive()).toBe(true)
    }
  })

  it('has tasks and calls on the main thread, as soon as the last item of the task before has come', async () => {
    const source = `${isMain.replace('; ', '\ndef tell(): channel.send(')})\ntell()`
    for (let n = 0; n < 150; n++) {
      expect(await gateway.remoteExec(source).receive()).toBe(true)
      expect(await gateway.remoteExec(source, {}, { timeout: 60_000 }).receive()).toBe(true)
      expect(await gateway.eval(isMain)).toBe(true)
    }
  })

  it.each(['channel.receive()', 'time.sleep(60)', 'while True: pass', 'while True: channel.send(2)'])(
    'has them beside a task that has not come to its end: %s',
    async (last) => {
      const busy = await group.makeGateway(`popen//python=${command}`)
      const task = busy.remoteExec(`import time\nchannel.send(1)\n${last}`)
      await task.receive()
      expect(await busy.eval(isMain)).toBe(false)
      const beside = busy.remoteExec(`${isMain.replace('; ', '\nchannel.send(')})`)
      expect(await beside.receive()).toBe(false)
      await busy.terminate({ timeout: 0 })
    },
  )

  it('has all calls in one other thread while a task of the user has the main one', async () => {
    const task = gateway.remoteExec('channel.send(1)\nchannel.receive()')
    await task.receive()
    const ident = 'import threading; threading.current_thread().ident'
    const idents = await Promise.all(Array.from({ length: 50 }, () => gateway.eval(ident)))
    expect(new Set(idents).size).toBe(1)
    expect(await gateway.eval(isMain)).toBe(false)
    await task.send(0)
    await task.waitClose()
    expect(await gateway.eval(isMain)).toBe(true)
    const again = gateway.remoteExec('channel.send(1)\nchannel.receive()')
    await again.receive()
    expect(await gateway.eval(ident)).toBe(idents[0])
    await again.send(0)
    await again.waitClose()
  })

  it('goes on where a loop stores what a generator gives', async () => {
    await gateway.call('connect')
    const lines = [1, 2, 3, 4, 5, 6]
    for await (const line of await gateway.call<RemoteIterator<number>>('tail', [lines])) {
      await gateway.call('insert', [line])
    }
    for await (const [n] of await gateway.call<RemoteIterator<number[]>>('rows')) await gateway.call('insert', [n])
    expect(await gateway.call('count')).toBe(12)
  })

  it('goes on behind a full window when a slow loop has taken some', async () => {
    let size = 0
    for await (const part of await gateway.eval<RemoteIterator<Uint8Array>>(
      '(bytearray(1 << 20) for _ in range(40))',
    )) {
      size += part.length
      // Meanwhile what is asked for fills the window: whoever reads there answers, and the step goes on.
      if (size < 3 << 20) for (let turn = 0; turn < 30; turn++) await gateway.remoteStatus()
    }
    expect(size).toBe(40 << 20)
  })

  it('answers stats and stacks whatever runs', async () => {
    const controller = new AbortController()
    const busy = gateway.execute('while True: pass', { signal: controller.signal })
    const { runningCalls } = await gateway.stats()
    expect(runningCalls).toBeLessThanOrEqual(1)
    expect((await gateway.stacks()).length).toBeGreaterThan(1)
    controller.abort(new Error('enough'))
    await expect(busy).rejects.toThrow('enough')
  })
})

it('a task that waits for items reads for itself, also when a call has run beside it', async () => {
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  const task = gateway.remoteExec<number, null>(
    'worker = __import__("_tendril").worker\nfor _ in channel: channel.send(getattr(worker, "turns", 0))',
  )
  const turns = async (): Promise<number> => {
    await task.send(null)
    return task.receive()
  }
  await turns()
  await gateway.call('abs', [-1])
  for (const before = await turns(); (await turns()) === before; );
  await task.close()
})

describe('threads', () => {
  it('of a service run beside each other, and beside other calls', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    const text = 'import threading\nmet = threading.Barrier(3)\ndef meet(): return met.wait(20) >= 0'
    await using service = await gateway.service<{ meet(): boolean }>({ text }, { expose: ['meet'], threads: 2 })
    const both = [service.meet(), service.meet()]
    await gateway.execute('import sys; [m for n, m in sys.modules.items() if n.startswith("service")][0].met.wait(20)')
    expect(await Promise.all(both)).toEqual([true, true])
  })

  it('are refused where there is one for everything', async () => {
    const refused = group.makeGateway('popen//threads=2//execmodel=main_thread_only')
    await expect(refused).rejects.toThrow(/one thread for everything/)
    const gateway = await group.makeGateway('popen//execmodel=main_thread_only//threads=1')
    const service = gateway.service({ text: 'def f(): pass' }, { expose: ['f'], threads: 2 })
    await expect(service).rejects.toThrow(/one thread for everything/)
  })
})

it('has everything on the main thread with main_thread_only', async () => {
  const gateway = await group.makeGateway(`popen//execmodel=main_thread_only//python=${anyInterpreter().command}`)
  const server = createServer().listen(0, '127.0.0.1')
  writeFileSync(join(folder, 'file'), 'x')
  await using _forward = await gateway.forward({ localListen: '127.0.0.1:0', to: '127.0.0.1:1' })
  await gateway.put(join(folder, 'file'), join(folder, 'copy'))
  const task = gateway.remoteExec<boolean>(`${isMain.replace('; ', '\nchannel.send(')})`)
  const calls = [gateway.eval(isMain), gateway.eval(isMain)]
  expect([await task.receive(), ...(await Promise.all(calls))]).toEqual([true, true, true])
  server.close()
})
