// A worker that leaves does what Python does at its end, and never longer than it may.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { noInterpreter, titled } from '../testbeds/needs.js'
import { until } from '../waiting.js'

const pythons = ['CPython 2.7', 'CPython 3.6', 'CPython 3.13'].flatMap((name) => findInterpreter(name) ?? [])
const newest = [findInterpreter('CPython 3.13') ?? anyInterpreter()]

let folder = ''
let group: Group
let lines: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-leaving-'))
  lines = []
  group = new Group({ onOutput: ({ stream, text }) => lines.push(`${stream}: ${text}`) })
})
afterEach(async () => {
  await group.terminate({ timeout: 0 })
  rmSync(folder, { recursive: true })
})

const leftOpen = `
import atexit, os, sys, tempfile, threading
class Deleted(object):
    def __init__(self, name): self.name = name
    def __del__(self): sys.stdout.write('deleted in %s\\n' % self.name)
def generator():
    try:
        yield 1
    finally:
        sys.stdout.write('finally\\n')
suspended = generator(); next(suspended)
deleted = Deleted('main')
file = open('main', 'w'); file.write('main')
module = sys.modules['module'] = type(sys)('module')
module.file = open('module', 'w'); module.file.write('module')
temporary = tempfile.NamedTemporaryFile(dir='.')
atexit.register(sys.stdout.write, 'exit function\\n')
release = threading.Event()
def last():
    release.wait()
    sys.stdout.write('thread\\n')
threading.Thread(target=last).start()
atexit_of_threads = threading.Timer(0.1, release.set)
atexit_of_threads.daemon = True
`

const hang = `
import time
def hang(sleep=time.sleep, error=BaseException):
    while True:
        try: sleep(100)
        except error: pass
`

// A frame of which an interrupted thread has left a part, and nobody who reads it.
const cutOff = `
import os, _tendril
worker = _tendril.worker
worker.outgoing.items.append(([(b'left', [])], None, 0, [], []))
ends = os.pipe()
os.close(ends[0])
os.dup2(ends[1], worker.fd_out)
open('cut off', 'w').close()
channel.receive()
`

describe.each(pythons)('a worker on $name', ({ command }) => {
  it('does not take the end of its link for a fault of its own, and leaves', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}//chdir=${folder}`)
    gateway.remoteExec(cutOff)
    await until(() => existsSync(join(folder, 'cut off')))
    expect(await gateway.terminate({ timeout: 60_000 })).toMatchObject({ killed: [] })
    expect((await gateway.closed).stderrTail).toBe('')
    expect(lines).toEqual([])
  })
})

describe.each(pythons)('a worker on $name that leaves in peace', ({ command }) => {
  it('awaits threads, runs exit functions, deletes and flushes', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}//chdir=${folder}`)
    await gateway.execute(leftOpen)
    await gateway.eval('atexit_of_threads.start()')
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(await gateway.closed).toMatchObject({ reason: 'terminated', exitCode: 0 })
    expect(lines.slice(0, 2)).toEqual(['stdout: thread', 'stdout: exit function'])
    expect(lines.slice(2).sort()).toEqual(['stdout: deleted in main', 'stdout: finally'])
    expect(readdirSync(folder).sort()).toEqual(['main', 'module'])
    expect([readFileSync(join(folder, 'main'), 'utf8'), readFileSync(join(folder, 'module'), 'utf8')]).toEqual([
      'main',
      'module',
    ])
  })

  it('has exit code 0, whatever stands in the place of its streams', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute('import sys; sys.stdout = 7; sys.stderr = None; sys.__stdout__ = None')
    await gateway.terminate()
    expect(await gateway.closed).toMatchObject({ exitCode: 0 })
  })
})

const no38 = noInterpreter('CPython 3.8') // later ones wait by themselves
it.skipIf(no38)(titled('a worker comes to its end when a thread of its own has imported threading', no38), async () => {
  const gateway = await group.makeGateway(`popen//python=${findInterpreter('CPython 3.8')?.command}`)
  const channel = gateway.remoteExec(`
    import sys, time, _thread, _weakrefset
    from _tendril import leaving
    class Begun: release = acquire = lambda self: None # the main thread comes to its end before the import does
    leaving.begun = Begun()
    main, amid, WeakSet = _thread.get_ident(), _thread.allocate_lock(), _weakrefset.__dict__.pop('WeakSet')
    amid.acquire()
    def is_at_end():
        frame = sys._current_frames().get(main)
        while frame and frame.f_code.co_name != 'serve': frame = frame.f_back
        return frame is None
    def late(name):
        if name != 'WeakSet': raise AttributeError(name)
        if amid.locked(): amid.release()
        while not is_at_end(): time.sleep(0.001)
        return WeakSet
    _weakrefset.__getattr__ = late
    channel.send('threading' in sys.modules)
    amid.acquire()`)
  expect(await channel.receive()).toBe(false)
  const put = errorOf(gateway.put(import.meta.filename, join(folder, 'copy')))
  await channel.waitClose()
  expect((await gateway.terminate({ timeout: 60_000 })).killed).toEqual([])
  await put
  expect(lines).toEqual([])
})

const shared = `
import subprocess, sys
from multiprocessing import get_context, shared_memory
memory = shared_memory.SharedMemory(create=True, size=1000)
process = get_context('fork').Process(target=__import__('time').sleep, args=(1000,))
process.daemon = True
process.start()
channel.send(memory.name)
channel.receive()
`

describe.each(newest)('a worker on $name', ({ command }) => {
  it('comes to its end when the thread has begun that sees to it', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(`
      import atexit, sys, time
      from _tendril import worker
      attend = worker.attend
      def late(run):
          time.sleep(0.3)
          sys.stdout.write('thread\\n')
          attend(run)
      worker.attend = late
      atexit.register(sys.stdout.write, 'exit function\\n')`)
    await gateway.terminate({ timeout: 20_000 })
    expect(lines).toEqual(['stdout: thread', 'stdout: exit function'])
  })

  it.each([
    ['an exit function', 'import atexit; atexit.register(hang)'],
    ['a thread', 'import threading; threading.Thread(target=hang).start()'],
    ['a finalizer', 'class A(object):\n def __del__(self, hang=hang): hang()\na = A()'],
  ])('is ended in time by its guard when %s does not end', async (_, source) => {
    const mark = new Mark()
    const gateway = await group.makeGateway(`popen//python=${command}//${mark.key}`)
    await gateway.execute(`${hang}${source}`)
    expect((await gateway.terminate({ timeout: 2000 })).killed).toMatchObject([{ signal: 'SIGKILL' }])
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('ends at once with an executor that was left open', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(
      'from concurrent.futures import ThreadPoolExecutor as P; pool = P(2); pool.submit(len, "a").result()',
    )
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
  })

  it.each(['left', 'was killed', 'was killed with its group', 'was stuck'])(
    'frees shared memory when it %s',
    async (how) => {
      const mark = new Mark()
      const gateway = await group.makeGateway(`popen//python=${command}//${mark.key}`)
      const { pid } = await gateway.info()
      const name = await gateway.remoteExec<string>(shared).receive()
      expect(existsSync(`/dev/shm/${name}`)).toBe(true)
      if (how === 'was stuck')
        await gateway
          .remoteExec('channel.send(1)\nwhile True:\n try:\n  while True: pass\n except BaseException: pass')
          .receive()
      if (how.startsWith('was killed')) process.kill(how === 'was killed' ? pid : -pid, 'SIGKILL')
      else await gateway.terminate()
      expect(await thoseThatStay(mark.pids)).toEqual([])
      expect(existsSync(`/dev/shm/${name}`)).toBe(false)
    },
  )
})

// Which garbage is collected when depends on the Python: of these, the middle one lost such files.
const collecting = ['CPython 3.6', 'CPython 3.11', 'CPython 3.13'].flatMap((name) => findInterpreter(name) ?? [])
it.each(collecting)('files of a task whose variables are garbage reach the disk on $name', async ({ command }) => {
  const gateway = await group.makeGateway(`popen//python=${command}//chdir=${folder}`)
  const task = `
def go():
    file = open('closure', 'w'); file.write('data'); globals()['keep'] = lambda: file
go()
class Cycle: pass
cycle = Cycle(); cycle.me = cycle; cycle.file = open('cycle', 'w'); cycle.file.write('data')
`
  await gateway.remoteExec(task).waitClose()
  await gateway.remoteExec('import gc; gc.collect()').waitClose()
  for (const name of ['closure', 'cycle']) expect(readFileSync(join(folder, name), 'utf8')).toBe('data')
})

it.each(pythons)('variables of a task are deleted at the end, as those of a program, on $name', async ({ command }) => {
  const gateway = await group.makeGateway(`popen//python=${command}`)
  await gateway
    .remoteExec(`
import sys
class Deleted(object):
    def __del__(self, error=IOError):
        try: channel.send(1)
        except error: sys.stdout.write('refused\\n')
deleted = Deleted()
`)
    .waitClose()
  expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
  expect(lines).toEqual(['stdout: refused'])
})

it.each(collecting)(
  'a daemon thread that was amid a send keeps no worker on $name from its end',
  async ({ command }) => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway
      .remoteExec(`
import threading
full, unread = threading.Event(), channel.gateway.newchannel()
def send():
    for _ in range(500): unread.send('x' * 100)
    full.set()
    while True: unread.send('x' * 2**20)
thread = threading.Thread(target=send); thread.daemon = True; thread.start(); full.wait()
`)
      .waitClose()
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    expect(lines.join('\n')).not.toMatch(/Fatal|unlocked|un-acquired/)
  },
)
