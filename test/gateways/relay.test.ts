// Who reads what is printed needs nothing of who prints: code that keeps the GIL, crashes, prints without end, or has closed its descriptors.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Group, type OutputLine } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { isGone, Mark } from '../processes.js'
import { until } from '../waiting.js'

const pythons = [findInterpreter('CPython 2.7'), anyInterpreter(), findInterpreter('CPython 3.13')].flatMap((python) =>
  python === undefined ? [] : [[python.name, `popen//python=${python.command}`] as const],
)
const popen = `popen//python=${anyInterpreter().command}`

class Printing extends Group {
  readonly lines: OutputLine[] = []
  constructor() {
    super({ onOutput: (line) => this.lines.push(line) })
  }
  text(stream: 'stdout' | 'stderr' = 'stdout'): string {
    return this.lines
      .filter((line) => line.stream === stream)
      .map(({ text }) => text)
      .join('\n')
  }
}

describe.each(pythons)('code that keeps the GIL, on %s', (_, spec) => {
  it.each([100_000, 10_000_000])('prints %i bytes, there before its channel closes', async (bytes) => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    await gateway.remoteExec('import ctypes; ctypes.PyDLL(None).printf(b"1" * size)', { size: bytes }).waitClose()
    expect(group.text().replaceAll('\n', '')).toBe('1'.repeat(bytes))
  })

  it('prints without end, in bounded memory, and the worker still learns that it is to leave', async () => {
    await using group = new Printing()
    const mark = new Mark()
    const gateway = await group.makeGateway(`${spec}//${mark.key}`)
    const before = residentBytes(mark)
    const printing = gateway.remoteExec(`
import ctypes
from _tendril import worker
printf = ctypes.PyDLL(None).printf
while not worker.leaving: printf(b"1" * 100000)`)
    while (group.lines.length < 20) await gateway.remoteStatus()
    const grown = residentBytes(mark) - before
    // It learns of it when it gets the GIL, which takes as long as the machine is busy.
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    await printing.waitClose()
    expect(grown).toBeLessThan(100 * 1024 * 1024)
  })
})

describe.each(pythons)('a thread that reads, amid a read of C, on %s', (_, spec) => {
  it('holds up neither what C code has printed, nor imports, nor the end', async () => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    const channel = gateway.remoteExec(`
import ctypes, os, threading
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
read_end, write_end = os.pipe()
file = libc.fdopen(read_end, b'r')
thread = threading.Thread(target=libc.fgetc, args=(ctypes.c_void_p(file),))
thread.daemon = True
thread.start()
while not libc.ftrylockfile(ctypes.c_void_p(file)):  # until it reads, with the lock of its file
    libc.funlockfile(ctypes.c_void_p(file))
libc.printf(b'printed')`)
    await channel.waitClose()
    expect(group.text()).toBe('printed')
    expect(await gateway.eval('__import__("colorsys").__name__')).toBe('colorsys')
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
  })
})

describe.each(pythons)('descriptors that user code has taken away, on %s', (_, spec) => {
  it.each([
    ['closed', 'os.close(1)'],
    ['pointed at nothing', 'os.dup2(os.open(os.devnull, os.O_WRONLY), 1)'],
    ['closed with their stream', 'sys.stdout.close()'],
    ['closed, both', 'os.close(1); os.close(2)'],
  ])('are at rest and stay so: %s', async (_, source) => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    await gateway.execute('import os, sys, time; print("before")')
    await gateway.remoteExec(`import os, sys\n${source}`).waitClose()
    // What the worker itself computes while nothing is asked of it.
    const used = await gateway.eval('[os.times()[:2], time.sleep(0.3), os.times()[:2]]')
    expect(ticksBetween(used)).toBeLessThan(0.1)
    await gateway.remoteExec('import os, subprocess; subprocess.call(["true"])').waitClose()
    expect(group.text()).toBe('before')
  })
})

/** Seconds of processor time. */
function ticksBetween(used: unknown): number {
  const [before, , after] = used as [number[], null, number[]]
  return after.reduce((sum, seconds, at) => sum + seconds - (before[at] ?? 0), 0)
}

describe.each(pythons)('the relay, on %s', (_, spec) => {
  it('is not asked at the end of each task, and what a task or a call prints is there before its end', async () => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    const asked = 'import _tendril.draining; int(repr(_tendril.draining.numbers)[6:-1])'
    const before = await gateway.eval<number>(asked)
    for (let i = 0; i < 20; i++) {
      await gateway.remoteExec('channel.send(1)').waitClose()
      await gateway.call('abs', [1])
    }
    expect((await gateway.eval<number>(asked)) - before).toBeLessThan(20)
    await gateway.remoteExec('import os; os.write(1, b"of a task")').waitClose()
    expect(group.text()).toBe('of a task')
    await gateway.execute('import os; os.system("echo of a child")')
    expect(group.text()).toBe('of a task\nof a child')
  })
})

describe('the relay', () => {
  it('tells a crash whose last words are longer than a pipe holds', async () => {
    await using group = new Printing()
    const gateway = await group.makeGateway(popen)
    await expect(gateway.remoteExec(crash).waitClose()).rejects.toMatchObject({
      signal: 'SIGSEGV',
    })
    expect(group.text('stderr')).toContain('Fatal Python error: Segmentation fault')
    expect(group.text('stderr').match(/most recent call first/g)).toHaveLength(61)
  })

  it('is not needed: when somebody has killed it, prints arrive all the same', async () => {
    await using group = new Printing()
    const mark = new Mark()
    const gateway = await group.makeGateway(`${popen}//${mark.key}`)
    const { pid } = await gateway.info()
    for (const other of mark.pids()) if (other !== pid) process.kill(other, 'SIGKILL')
    await gateway.remoteExec('print("a" * 200000); import os; os.system("echo child")').waitClose()
    await gateway.eval('print("b")')
    expect(group.text().replaceAll('\n', '')).toBe(`${'a'.repeat(200_000)}childb`)
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
  })
})

/** Prints, and comes to an end of its own when the worker has taken that and is amid a function that comes to none. */
const cutOff = (end: string, amid = 'output.send'): string => `
import ctypes, os, sys, time
from _tendril import _thread, worker
held = _thread.allocate_lock()
held.acquire()
worker.${amid} = lambda *args: held.acquire()
sys.stderr.write('last words\\n')
sys.stderr.flush()
while not worker.output.taken: time.sleep(0.001)
channel.send(None)
${end}`

describe.each(pythons)('what was printed last, on %s', (_, spec) => {
  it.each([
    ['calls os._exit', 'os._exit(3)'],
    ['is killed', 'os.kill(os.getpid(), 9)'],
    ['crashes', 'ctypes.string_at(0)'],
    ['aborts', 'os.abort()'],
  ])('is told, once, also when the worker %s before it has sent it', async (_, end) => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    const channel = gateway.remoteExec(cutOff(end))
    await channel.receive()
    await errorOf(channel.waitClose())
    expect((await gateway.closed).stderrTail).toBe('last words\n')
    expect(group.text('stderr')).toBe('last words')
  })

  it('is told once when the worker ends after it has sent it, and before it could say so', async () => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    const channel = gateway.remoteExec(cutOff('os._exit(3)', 'output.relay.confirm'))
    await channel.receive()
    expect((await gateway.closed).stderrTail).toBe('last words\n')
  })

  it('is told when the worker ends because its grace is over', async () => {
    await using group = new Printing()
    const gateway = await group.makeGateway(spec)
    const channel = gateway.remoteExec(cutOff('while True:\n  try: time.sleep(100)\n  except KeyboardInterrupt: pass'))
    await channel.receive()
    await gateway.terminate({ timeout: 500 })
    expect((await gateway.closed).stderrTail).toBe('last words\n')
  })

  it.each(['', '//via=carrier'])(
    'is told when who reads it comes to it long after the end, and was asked for it: popen%s',
    async (via) => {
      await using group = new Printing()
      const mark = new Mark()
      if (via !== '') await group.makeGateway(`${spec}//id=carrier`)
      const gateway = await group.makeGateway(`${spec}//${mark.key}${via}`)
      const { pid } = await gateway.info()
      const [guard = 0] = mark.pids().filter((other) => other !== pid)
      process.kill(guard, 'SIGSTOP')
      void gateway.remoteExec(
        "import os\nfrom _tendril import worker\nos.write(2, b'last words\\n')\nworker.guard.tell(b'Q', 1)\nos._exit(3)",
      )
      await until(() => isGone(pid))
      // Longer than somebody is waited for of whom nothing is known: that time is what is tested here.
      setTimeout(() => process.kill(guard, 'SIGCONT'), 500)
      expect(await gateway.closed).toMatchObject({ exitCode: 3, stderrTail: 'last words\n' })
    },
  )
})

const crash = `
import faulthandler, sys, threading, ctypes
faulthandler.enable()
def deep(n):
    if n: return deep(n - 1)
    started.release(); ready.wait()
started, ready = threading.Semaphore(0), threading.Event()
for _ in range(58):
    threading.Thread(target=deep, args=(90,)).start()
for _ in range(58): started.acquire()
ctypes.string_at(0)
`

/** The memory of all processes of a worker. */
function residentBytes(mark: Mark): number {
  const sizes = mark
    .pids()
    .map((pid) => Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]))
  return sizes.reduce((sum, kib) => sum + kib * 1024, 0)
}

it('takes nobody who was held up by the controller for one who keeps the GIL', async () => {
  await using group = new Printing()
  const gateway = await group.makeGateway(popen)
  const channel = gateway.remoteExec(`
import os
from _tendril import relay
class Busy(object): pass
kept, now = (relay.worker, relay.clock), [0.0]
try:
    reader, Busy.fd_out = os.pipe()
    relay.worker, relay.clock = Busy, lambda: now[0]
    stream = relay.Stream(-1, 0)
    stream.size = relay.MOST
    stream.held.append(b'')
    os.set_blocking(Busy.fd_out, False)
    try:
        while True: os.write(Busy.fd_out, bytes(4096))
    except BlockingIOError: pass
    while now[0] < 5:
        wait = stream.patience()
        assert wait > 0
        now[0] += wait
    while relay.wait_for([reader], [], 0): os.read(reader, 65536)
    left = []
    for pause in (0, 0.5, 0.6):  # from now on it is the worker that takes nothing
        now[0] += pause
        left.append(stream.patience() > 0)
finally:
    relay.worker, relay.clock = kept
channel.send(left)`)
  expect(await channel.receive()).toEqual([true, true, false])
})
