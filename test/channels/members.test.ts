// What few tasks ask of a channel and of its gateway, with execnet's names and meanings.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { chosenInterpreters } from '../interpreters.js'
import { execnetPython, noExecnet, pythonPackages, titled } from '../testbeds/needs.js'

describe.each(chosenInterpreters())('what a channel has on $name', ({ command }) => {
  const printed: string[] = []
  const group = new Group({ onOutput: ({ text }) => printed.push(text) })
  let gateway: Gateway
  const first = (source: string, kwargs = {}): Promise<unknown> => gateway.remoteExec(source, kwargs).receive()
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })
  afterAll(() => group.terminate())

  it('an execmodel, which makes locks, events, queues and threads, and compares with its name', async () => {
    expect(
      await first(`
        model = channel.gateway.execmodel
        with model.RLock(), model.Lock(): pass
        event, queue = model.Event(), model.queue.Queue()
        def work(item):
            queue.put([item, model.get_ident()])
            event.set()
        model.start(work, (7,))
        event.wait(10)
        item, ident = queue.get(timeout=10)
        model.sleep(0)
        channel.send([item, ident != model.get_ident(), model.backend, model == 'thread', model != 'thread', repr(model),
                      model.socket.__name__, model.subprocess.__name__])
      `),
    ).toEqual([7, true, 'thread', true, false, "<ExecModel 'thread'>", 'socket', 'subprocess'])
    expect((await gateway.remoteStatus()).execModel).toBe('thread')
  })

  it('a gateway with the id of a worker, that traces nothing, and is joined at its end', async () => {
    const report = gateway.newChannel<number>()
    expect(
      await first(`
        gateway = channel.gateway
        gateway._trace('nothing', 1)
        channel._trace('nothing')
        gateway.join(0.01)
        channel.send(gateway.id)
      `),
    ).toBe(`${gateway.id}-worker`)
    const ending = await group.makeGateway(`popen//python=${command}`)
    const joined = ending.remoteExec('channel.send(1); channel.gateway.join(); print("joined")')
    await joined.receive()
    await ending.terminate()
    expect(printed.join('')).toContain('joined')
    await report.close()
  })

  it('errors with a text, a repr and a warning', async () => {
    const sub = gateway.newChannel()
    const channel = gateway.remoteExec(
      `
        try:
            sub.receive()
        except channel.RemoteError as e:
            e.warn()
            sub.RemoteError('keyboard-interrupted').warn()
            channel.send([channel._getremoteerror(), str(e), repr(e), e.formatted, str(sub._getremoteerror())])
      `,
      { sub },
    )
    await sub.close('broken')
    expect(await channel.receive()).toEqual([null, 'broken', 'RemoteError: broken', 'broken', 'broken'])
    await channel.waitClose()
    expect(printed.join('')).toMatch(/\[\d+\] Warning: unhandled RemoteError: broken/)
    expect(printed.join('')).not.toContain('keyboard-interrupted')
  })

  it('callbacks that have had what has arrived when setcallback returns', async () => {
    const channel = gateway.remoteExec(`
      report = channel.receive()
      while len(channel.items.items) < 4: channel.gateway.execmodel.sleep(0.001)  # three, and the end
      items, threads = [], set()
      def note(item):
          items.append(item)
          threads.add(channel.gateway.execmodel.get_ident())
      channel.setcallback(note, endmarker='end')
      channel.send([items, threads == set([channel.gateway.execmodel.get_ident()])])
      channel.waitclose()
    `)
    const report = gateway.newChannel()
    for (const item of [report, 1, 2, 3]) await channel.send(item)
    channel.sendEnd()
    expect(await channel.receive()).toEqual([[1, 2, 3, 'end'], true])
    await report.close()
  })

  it('callbacks of which one runs at a time, whatever their channels', async () => {
    const subs = Array.from({ length: 4 }, () => gateway.newChannel<number, number>())
    const channel = gateway.remoteExec(
      `
        inside, most = [], []
        def enter(item):
            inside.append(item)
            most.append(len(inside))
            channel.gateway.execmodel.sleep(0.001)
            inside.pop()
        for sub in subs: sub.setcallback(enter)
        channel.send('ready')
        for sub in subs: sub.waitclose()
        channel.send([len(most), max(most)])
      `,
      { subs },
    )
    expect(await channel.receive()).toBe('ready')
    for (let n = 0; n < 20; n++) for (const sub of subs) await sub.send(n)
    for (const sub of subs) await sub.close()
    expect(await channel.receive()).toEqual([80, 1])
  })

  it('callbacks that have had all, and the end, when the worker leaves', async () => {
    const ending = await group.makeGateway(`popen//python=${command}`)
    const sub = ending.newChannel<number>()
    await ending
      .remoteExec(
        `
          import sys
          def late(item):
              channel.gateway.join()
              sys.stdout.write('late %s\\n' % item)
          sub.setcallback(late, endmarker='end')
        `,
        { sub },
      )
      .waitClose()
    for (const n of [1, 2]) await sub.send(n)
    expect(await ending.terminate({ timeout: 60_000 })).toEqual({ killed: [] })
    expect(printed.filter((text) => text.startsWith('late'))).toEqual(['late 1', 'late 2', 'late end'])
    printed.length = 0
  })

  it('a callback that gives another channel one, and has it called at once', async () => {
    const sub = gateway.newChannel()
    const channel = gateway.remoteExec(
      `
        def outer(other):
            while not other.items.items: channel.gateway.execmodel.sleep(0.001)
            other.setcallback(channel.send)
            channel.send('after')
        sub.setcallback(outer)
        channel.receive()
      `,
      { sub },
    )
    const other = gateway.newChannel()
    await other.send('item')
    await sub.send(other)
    expect([await channel.receive(), await channel.receive()]).toEqual(['item', 'after'])
  })

  it('files that are written to after they were closed, as the channel is open', async () => {
    expect(
      await first(`
        file = channel.makefile('w')
        file.write(u'one')
        file.close()
        file.write(u'two')
        file.flush()
        channel.send(repr(file))
      `),
    ).toBe('one')
  })

  it('text that is bytes, where reconfigure says so', async () => {
    const channel = gateway.remoteExec(`
      import sys
      channel.reconfigure(py3str_as_py2str=True)
      received = channel.receive()
      channel.send([type(received[0]).__name__ == type(b'').__name__, type(received[1]['key'.encode('utf-8')][0]).__name__ == type(b'').__name__, received[2]])
      channel.send('as bytes' if sys.version_info[0] > 2 else bytearray(b'as bytes'))
      channel.reconfigure()
      channel.send(channel.receive())
    `)
    await channel.send(['é', { key: ['x'] }, 3])
    expect(await channel.receive()).toEqual([true, true, 3])
    expect(await channel.receive()).toEqual(new TextEncoder().encode('as bytes'))
    await channel.send('text again')
    expect(await channel.receive()).toBe('text again')
  })
})

it.skipIf(noExecnet)(
  titled('execnet reaches a gateway through its own socketserver.py, run here as it is', noExecnet),
  async () => {
    await using group = new Group({ onOutput: () => undefined })
    const gateway = await group.makeGateway(`popen//python=${execnetPython}`)
    const channel = gateway.remoteExec<[string, number], string>({
      file: join(pythonPackages, 'execnet/script/socketserver.py'),
    })
    await channel.send('localhost:0')
    const [, port] = await channel.receive()
    const client = `import execnet
gateway = execnet.makegateway('socket=localhost:${port}')
print(gateway.remote_exec('import os; channel.send(os.getpid())').receive())
execnet.default_group.terminate(5)`
    const pid = execFileSync(execnetPython, ['-c', client], { encoding: 'utf8' })
    expect(Number(pid)).toBe(await gateway.call('os.getpid'))
  },
)
