// Forked children of a worker end as Python's do, and touch nothing of the gateway.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, Group, type OutputLine, Tuple } from '../../src/index.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { isGone, Mark, thoseThatStay } from '../processes.js'
import { titled } from '../testbeds/needs.js'

const pythons = ['CPython 2.7', 'CPython 3.13', 'PyPy'].flatMap((name) => {
  const python = findInterpreter(name)
  return python === undefined ? [] : [[python.name, python.command] as const]
})

const helpers = `
import atexit, os, sys
def wait(pid):
    status = os.waitpid(pid, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
def exits(): sys.exit(3)
def complains(): sys.exit('no more paper')
def fails(): raise ValueError('in the child')
def falls():
    global file
    file = open(path, 'w')
    file.write('flushed')
    atexit.register(os.write, 1, b'at exit\\n')
def fork(end):
    pid = os.fork()
    return wait(pid) if pid else end()
`

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-forks-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe.each(pythons)('a forked child on %s', (_, command) => {
  let group: Group
  let gateway: Gateway
  let lines: OutputLine[]
  const text = (stream: 'stdout' | 'stderr'): string =>
    lines
      .filter((line) => line.stream === stream)
      .map((line) => line.text)
      .join('\n')

  beforeEach(async () => {
    lines = []
    group = new Group({ onOutput: (line) => lines.push(line) })
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(`${helpers}path = ${JSON.stringify(join(folder, 'file'))}\n`)
  })
  afterEach(() => group.terminate())

  const execute = async (end: string): Promise<unknown> => {
    const source = `import __main__ as m\ncode = m.fork(m.${end})\nif code is not None: channel.send(code)`
    const channel = gateway.remoteExec(source)
    const code = await channel.receive()
    await channel.waitClose() // what was printed is there by then
    return code
  }
  const ways: readonly [string, (end: string) => Promise<unknown>][] = [
    ['call', (end) => gateway.eval(`fork(${end})`)],
    ['exec', execute],
    [
      'exec beside another',
      async (end) => {
        const other = gateway.remoteExec('channel.receive()')
        const code = await execute(end)
        await other.close()
        return code
      },
    ],
    [
      'call beside an exec',
      async (end) => {
        const other = gateway.remoteExec('channel.send(1); channel.receive()')
        await other.receive() // it has the main thread
        const code = await gateway.eval(`fork(${end})`)
        await other.close()
        return code
      },
    ],
    [
      'the end of a generator',
      async (end) => {
        const codes = gateway.newChannel()
        await gateway.execute(
          `
def steps(end):
    try:
        yield 1
    finally:
        code = fork(end)
        if code is not None: codes.send(code)
`,
          { names: { codes } },
        )
        for await (const _ of await gateway.eval<AsyncIterable<number>>(`steps(${end})`)) break
        const code = await codes.receive()
        await gateway.eval('None') // what was printed is there by then
        return code
      },
    ],
  ]

  it.each(ways)('ends with its code, its traceback, or all that belongs to an end: %s', async (_, forkAnd) => {
    expect([
      await forkAnd('exits'),
      await forkAnd('complains'),
      await forkAnd('fails'),
      await forkAnd('falls'),
    ]).toEqual([3, 1, 1, 0])
    expect(text('stderr')).toMatch(/^no more paper\nTraceback .*\nValueError: in the child$/s)
    expect(text('stderr')).not.toContain('<tendril>')
    expect(text('stdout')).toBe('at exit')
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('flushed')
  })
  it('has no channels, whatever descriptors it opens; its prints arrive', async () => {
    const channel = gateway.remoteExec(`
import os, sys
import __main__ as m
def attempt(function, *args):
    try:
        function(*args)
        return 'nothing'
    except IOError as e:
        return 'forked' if 'fork of the worker' in str(e) else str(e)
def child():
    files = [open(m.path + str(n), 'w+') for n in range(30)]
    outcomes = [attempt(channel.send, 1), attempt(channel.receive), attempt(channel.gateway.newchannel), attempt(channel.close)]
    outcomes.append([os.fstat(file.fileno()).st_size for file in files] == [0] * 30)
    sys.stdout.write('%s\\n' % outcomes)
code = m.fork(child)
if code is not None: channel.send(code)
`)
    expect(await channel.receive()).toBe(0)
    await channel.waitClose()
    expect(text('stdout')).toBe("['forked', 'forked', 'forked', 'nothing', True]")
  })

  it('leaves locks behind that its parent was using, and the parent goes on', async () => {
    const channel = gateway.remoteExec(`
import os, threading
import __main__ as m
def sends():
    for n in range(3000): channel.send('x' * 1000)
threads = [threading.Thread(target=sends) for _ in range(2)]
for thread in threads: thread.start()
def attempts():
    try:
        channel.send(1)
    except IOError:
        os._exit(5)
codes = [m.fork(attempts) for _ in range(40)]
for thread in threads: thread.join()
channel.send(codes)
`)
    let [items, last]: [number, unknown] = [0, undefined]
    for await (const item of channel) [items, last] = [items + 1, item]
    expect([items, last]).toEqual([6001, Array(40).fill(5)])
  })

  it('ends with the code of a subclass of SystemExit, and has no callbacks', async () => {
    await gateway.execute(`
class Exit(SystemExit): pass
def exits_so(): raise Exit(12)
def listens():
    try: opened.setcallback(print_)
    except IOError: sys.exit(7)
print_ = sys.stdout.write
`)
    expect(await gateway.eval('fork(exits_so)')).toBe(12)
    const task = gateway.remoteExec(
      'import __main__; __main__.opened = channel; channel.send(__main__.fork(__main__.listens))',
    )
    expect(await task.receive()).toBe(7)
    expect(text('stderr')).toBe('')
  })

  it('cannot call functions of the controller, nor go on with a callback of a channel; what it imports ends in silence', async () => {
    gateway.expose({ one: () => 1 })
    gateway.provide({ roots: ['examples/pylib'] })
    await gateway.execute(`
def asks(function):
    def attempts():
        try: function()
        except IOError as e: sys.exit(7 if 'fork of the worker' in str(e) else str(e))
    return fork(attempts)
def receives(channel):
    def received(item):
        pid = os.fork()
        if pid: channel.send(wait(pid))
    channel.setcallback(received)
    channel.send(None)
    channel.waitclose()
`)
    expect(await gateway.eval('asks(function), function()', { function: () => 2 })).toEqual(new Tuple(7, 2))
    expect(await gateway.eval('asks(controller.one), controller.one()')).toEqual(new Tuple(7, 1))
    const channel = gateway.remoteExec(`import __main__; __main__.receives(channel)`)
    await channel.receive()
    await channel.send(1)
    expect(await channel.receive()).toBe(0)
    await channel.close()
    expect(text('stderr')).toBe('')
  })

  it('may outlive the gateway, when it becomes a daemon', async () => {
    const mark = new Mark()
    const own = await group.makeGateway(`popen//python=${command}//${mark.key}`)
    const channel = own.remoteExec<number>(`
import os, time
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.write(w, str(os.getpid()).encode())
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2): os.dup2(nothing, fd)
    time.sleep(1000)
else:
    os.waitpid(pid, 0)
    channel.send(int(os.read(r, 20)))
`)
    const daemon = await channel.receive()
    expect((await own.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(isGone(daemon)).toBe(false)
    process.kill(daemon, 'SIGKILL')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('ends from within a generator, a service, and a chain', async () => {
    await gateway.execute(`
def gives():
    yield 1
    yield fork(exits)
def forks_in_a_chain():
    return fork(exits)
`)
    const items: unknown[] = []
    for await (const item of await gateway.eval<AsyncIterable<unknown>>('gives()')) items.push(item)
    expect(items).toEqual([1, 3])
    const service = await gateway.service(
      { text: `import __main__\ndef ends(): return __main__.fork(__main__.exits)` },
      { expose: ['ends'] },
    )
    expect(await (service as unknown as { ends(): Promise<number> }).ends()).toBe(3)
  })

  it('of multiprocessing works', async () => {
    const source = `
import multiprocessing, sys
context = multiprocessing.get_context('fork') if sys.version_info[0] > 2 else multiprocessing
def run(queue): queue.put(42)
queue = context.Queue()
process = context.Process(target=run, args=(queue,))
process.start()
channel.send(queue.get())
process.join()
channel.send(process.exitcode)
`
    const channel = gateway.remoteExec(source)
    expect([await channel.receive(), await channel.receive()]).toEqual([42, 0])
  })
})

const newest = findInterpreter('CPython 3.13') ?? anyInterpreter()

it('a forked child of a coroutine ends with its code', async () => {
  await using group = new Group()
  const gateway = await group.makeGateway(`popen//python=${newest.command}`)
  await gateway.execute(`${helpers}async def go(end): return fork(end)`)
  expect(await gateway.eval('go(exits)')).toBe(3)
  expect(await gateway.eval('go(fails)')).toBe(1)
  expect(await gateway.eval('go(lambda: 7)')).toBe(0)
})

const noWarning = /3\.(\d|1[01])$/.test(newest.name) ? 'Python warns of that from 3.12 on' : undefined
it.skipIf(noWarning)(
  titled('nobody warns of threads beside a fork when they are ours, nor keeps quiet when they are not', noWarning),
  async () => {
    const lines: string[] = []
    await using group = new Group({ onOutput: ({ text }) => lines.push(text) })
    const gateway = await group.makeGateway(`popen//python=${newest.command} -W always`)
    await gateway.execute(helpers)
    expect(await gateway.eval('fork(exits)')).toBe(3)
    await gateway.execute('import threading; event = threading.Event(); threading.Thread(target=event.wait).start()')
    expect(lines).toEqual([])
    expect(await gateway.eval('fork(exits)')).toBe(3)
    await gateway.eval('event.set()')
    expect(lines[0]).toContain('multi-threaded')
  },
)
