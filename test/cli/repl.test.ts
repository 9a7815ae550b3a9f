// Python's prompt on a gateway, on a real terminal and on a pipe.
import { spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { RemotePrompt } from '../../src/cli/remote-prompt.js'
import { Group } from '../../src/index.js'
import { anyInterpreter, chosenInterpreters, findInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { Terminal } from '../terminal.js'
import { eventually, until } from '../waiting.js'
import { bin, type Result } from './command.js'

const state = mkdtempSync(join(tmpdir(), 'tendril-repl-'))
afterAll(() => rmSync(state, { recursive: true, force: true }))

const spec = `popen//python=${anyInterpreter().command}//id=lab`
const plain = { XDG_STATE_HOME: state, NO_COLOR: '1', TERM: 'xterm' }

/** The command with its standard input from a pipe. */
function piped(input: string, ...args: string[]): Result {
  const env = { ...process.env, XDG_STATE_HOME: state }
  return spawnSync(process.execPath, [bin, 'repl', ...args], { encoding: 'utf8', env, input })
}

/** The command on a terminal, when it has shown its first prompt. */
async function atPrompt(env: Readonly<Record<string, string>> = plain, ...args: string[]): Promise<Terminal> {
  const terminal = new Terminal([process.execPath, bin, 'repl', ...(args.length > 0 ? args : [spec])], env)
  await terminal.shows(/>>>/)
  return terminal
}

/** Leaves, and gives the exit code. */
async function leave(terminal: Terminal): Promise<number> {
  terminal.type('\u0004')
  await terminal.shows(/typing is shown/)
  return terminal.exitCode()
}

describe.each(
  [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')].filter((each) => each !== undefined),
)('tendril repl on a pipe, $name', ({ command }) => {
  it('runs what comes and shows the values of expressions', () => {
    const { status, stdout, stderr } = piped('x = 20\nx + 1\n_ * 2\nprint("end")', `popen//python=${command}`)
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '21\n42\nend\n', stderr: '' })
  })

  it('ends at the first statement that fails, with a traceback that is Python’s own, and exit code 1', () => {
    const input = 'def f(n):\n    return 1 // n\nf(1)\nf(0)\nprint("never")\n'
    const { status, stdout, stderr } = piped(input, `popen//python=${command}`)
    expect([status, stdout]).toEqual([1, '1\n'])
    expect(stderr).toMatch(/^Traceback[^\n]*\n {2}File "<python-input-2>", line 1, in <module>\n {4}f\(0\)\n/)
    expect(stderr).toContain('  File "<python-input-0>", line 2, in f\n    return 1 // n\n')
    expect(stderr).toMatch(/\nZeroDivisionError: [^\n]*\n$/)
    expect(stderr.match(/File/g)).toHaveLength(2)
  })

  it('has forked children end as those of Python do', () => {
    const input = `import os, sys
def fork(end):
    pid = os.fork()
    if pid: return os.waitpid(pid, 0)[1] >> 8
    end()

fork(lambda: sys.exit(3))
fork(lambda: 1 // 0)
fork(lambda: None)
`
    const { status, stdout, stderr } = piped(input, `popen//python=${command}`)
    expect([status, stdout]).toEqual([0, '3\n1\n0\n'])
    expect(stderr).toMatch(/^Traceback [^\n]*\n {2}File "<python-input-3>".*\nZeroDivisionError: [^\n]*\n$/s)
  })
})

describe('tendril repl on a pipe', () => {
  it('leaves no file unwritten that was left open', () => {
    const path = join(state, 'left-open')
    piped(`f = open(${JSON.stringify(path)}, 'w')\n_ = f.write('data')\n`, spec)
    expect(readFileSync(path, 'utf8')).toBe('data')
  })

  it('takes a block as ended by the next line at the margin, as in a script', () => {
    const input =
      'for n in range(2):\n    print(n)\nelse:\n    print("else")\nprint("""a\nb""")\nif True:\n    print("last")'
    expect(piped(input, spec)).toMatchObject({ status: 0, stdout: '0\n1\nelse\na\nb\nlast\n', stderr: '' })
  })

  it('says what is wrong with source that is none, or not complete', () => {
    const wrong = piped('x = = 1\n', spec)
    expect([wrong.status, wrong.stderr]).toEqual([
      1,
      expect.stringMatching(/^ {2}File "<python-input-0>", line 1\n[\s\S]*SyntaxError/),
    ])
    const incomplete = piped('def f():\n', spec)
    expect([incomplete.status, incomplete.stderr]).toEqual([1, expect.stringMatching(/Error: /)])
  })

  it('exits with the code that the code there exits with', () => {
    expect(piped('import sys\nsys.exit(7)\n', spec).status).toBe(7)
    expect(piped('raise SystemExit("no more")\n', spec)).toMatchObject({ status: 1, stderr: 'no more\n' })
  })

  it('passes on what child processes print, and half lines', () => {
    expect(piped('import os\n_ = os.system("printf half")\nprint("-line", end="")', spec).stdout).toBe('half-line')
  })

  it('tells when the worker ends under it', () => {
    const { status, stderr } = piped('import os\nos._exit(3)\n', spec)
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^tendril: gateway lab .* ended with exit code 3/)])
  })

  it('refuses several gateways, and exits with 3 when there is none', () => {
    expect(piped('', '2*popen')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('one gateway, not 2') as string,
    })
    const { status, stderr } = piped('', 'popen//python=/no/such/python')
    expect([status, stderr.trimEnd().split('\n').length]).toEqual([3, 1])
  })
})

describe.skipIf(process.platform === 'win32').each(chosenInterpreters())('tendril repl on $name', ({ command }) => {
  const waits = [
    'os.system("echo ru""ns; sleep 3600; true")',
    'subprocess.call(["sh", "-c", "echo ru""ns; sleep 3600"])',
    // It ends without a word: when its traceback came, nobody could say.
    'p = os.fork() or (signal.signal(2, signal.SIG_DFL), os.write(1, b"ru" b"ns\\n"), time.sleep(3600)); os.waitpid(p, 0)',
  ]
  // Each of its processes ends at a SIGINT at once, whatever it is about to do.
  const startsMany = `import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
for n in range(400):
    os.fork() or os.execlp('sleep', 'sleep', '3600')
    n == 20 and os.write(1, b'runs\\n')
os.wait()`
  // It does what dash does with vfork: until its exec, behind the signal, the child has its parent's handler, which does nothing.
  const playsDash = `import ctypes, os, re, signal, time
signal.signal(signal.SIGINT, lambda *_: None)
CLONE_VFORK, number = 0x4000, ${process.arch === 'arm64' ? 220 : 56}
if ctypes.CDLL(None).syscall(number, CLONE_VFORK | signal.SIGCHLD, 0, 0, 0, 0) == 0:
    os.write(1, b'runs\\n')
    while not re.search('ShdPnd:.*2\\n', open('/proc/%d/status' % os.getppid()).read()): time.sleep(0.01)
    os.execlp('sleep', 'sleep', '3600')
os.wait()`

  it('ends by Ctrl-C the child processes that Python waits for, and nothing beside its process group', async () => {
    const mark = new Mark()
    const terminal = await atPrompt(plain, `popen//python=${command}//${mark.key}`)
    terminal.type(
      'import os, signal, subprocess, time; own = subprocess.Popen(["setsid", "sleep", "3599"]); pid = os.getpid()\r',
    )
    await terminal.shows(/>>> /)
    for (const line of waits) {
      terminal.type(`${line}\r`)
      await terminal.shows(/\nruns\r\n/)
      if (line.includes('sleep 3600')) await until(() => mark.sleeps().includes('sleep 3600'))
      terminal.type('\u0003')
      await terminal.shows(/>>> /)
      await eventually(() => expect(mark.sleeps()).toEqual(['sleep 3599']))
    }
    terminal.type('[os.getpid() == pid, own.poll(), "still there"]\r')
    await terminal.shows(/\[True, None, 'still there'\]\r\n[^\n]*>>> /)
    expect(await leave(terminal)).toBe(0)
    process.kill(mark.pids()[0] ?? Number.NaN) // it has left the group, and outlives the worker
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('ends them on a worker beside another one, too', async () => {
    await using group = new Group()
    const mark = new Mark()
    await group.makeGateway(`popen//id=carrier//python=${command}`)
    const gateway = await group.makeGateway(`popen//via=carrier//${mark.key}`)
    const shown = new EventEmitter()
    const prompt = await RemotePrompt.open(gateway, {
      isOneScreen: true,
      colors: false,
      onOutput: (_, text) => void shown.emit(Buffer.from(text).toString().trim()),
    })
    await prompt.push('import os, subprocess, sys', new AbortController().signal)
    const script = (text: string) => `subprocess.Popen([sys.executable, "-c", ${JSON.stringify(text)}]).wait()`
    for (const line of [waits[0], script(startsMany), ...(process.platform === 'linux' ? [script(playsDash)] : [])]) {
      const runs = once(shown, 'runs')
      const interruption = new AbortController()
      const outcome = prompt.push(line ?? '', interruption.signal)
      await runs
      if (line === waits[0]) await until(() => mark.sleeps().length > 0)
      interruption.abort()
      await prompt.interruptChildren()
      expect(await outcome).toEqual({ state: 'failed', code: 1 })
      await eventually(() => expect(mark.sleeps()).toEqual([]))
    }
    expect(await gateway.eval('6 * 7')).toBe(42)
  })
})

describe.skipIf(process.platform === 'win32')('tendril repl on a terminal', () => {
  it('says where it is, takes blocks, and leaves by Ctrl-D', async () => {
    const terminal = await atPrompt()
    expect(terminal.shown).toMatch(/CPython 3\.\d+\.\d+ on \w+, gateway lab/)
    terminal.type('def f():\r')
    await terminal.shows(/\.\.\. /)
    terminal.type('    return 6 * 7\r\r')
    await terminal.shows(/>>> /)
    terminal.type('f()\r')
    await terminal.shows(/\n42\r\n[^\n]*>>> /)
    expect(await leave(terminal)).toBe(0)
  })

  it('shows both streams in the order in which they were written, and half lines at once', async () => {
    const terminal = await atPrompt()
    terminal.type('import sys, time\r')
    await terminal.shows(/>>> /)
    terminal.type('for n in range(3): _ = sys.stdout.write("o%d\\n" % n), sys.stderr.write("e%d\\n" % n)\r\r')
    await terminal.shows(/o0\r\ne0\r\no1\r\ne1\r\no2\r\ne2\r\n/)
    terminal.type('_ = sys.stdout.write("half"), sys.stdout.flush(), time.sleep(60)\r')
    await terminal.shows(/\nhalf$/)
    terminal.type('\u0003')
    await terminal.shows(/KeyboardInterrupt\r\n[^\n]*>>> /)
    expect(await leave(terminal)).toBe(0)
  })

  it('interrupts what runs by Ctrl-C, and forgets what was typed at the prompt', async () => {
    const terminal = await atPrompt()
    terminal.type('import os; n = 0\r')
    await terminal.shows(/>>> /)
    terminal.type('while True: n += 1; _ = n == 1 and os.write(1, b"runs\\n")\r\r')
    await terminal.shows(/\nruns\r\n/)
    terminal.type('\u0003')
    await terminal.shows(/Traceback[\s\S]*while True: n \+= 1[^\n]*\n([ ~^]*\r\n)?KeyboardInterrupt\r\n[^\n]*>>> /)
    expect(terminal.shown).not.toContain('<tendril>')
    terminal.type('if True:\r')
    await terminal.shows(/\.\.\. /)
    terminal.type('  half\u0003')
    await terminal.shows(/KeyboardInterrupt\r\n[^\n]*>>> /)
    terminal.type('"as" + " before"\r')
    await terminal.shows(/'as before'\r\n[^\n]*>>> /)
    expect(await leave(terminal)).toBe(0)
  })

  it('ends a worker that will not be interrupted at the third Ctrl-C', async () => {
    const mark = new Mark()
    const terminal = await atPrompt(plain, `${spec}//${mark.key}`)
    terminal.type('import signal, time; _ = signal.signal(signal.SIGINT, signal.SIG_IGN)\r')
    await terminal.shows(/>>> /)
    terminal.type('print("sl" + "eeps"); time.sleep(60)\r')
    await terminal.shows(/sleeps/)
    terminal.type('\u0003\u0003')
    await terminal.shows(/Ctrl-C once more ends the worker/)
    terminal.type('\u0003')
    await terminal.shows(/typing is shown/)
    expect(await terminal.exitCode()).toBe(130)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('completes names, attributes and modules by Tab, and indents', async () => {
    const terminal = await atPrompt()
    terminal.type('import collec\t')
    await terminal.shows(/collections/)
    terminal.type('\r')
    await terminal.shows(/>>> /)
    terminal.type('collections.Ord\t')
    await terminal.shows(/OrderedDict/)
    terminal.type('([("a", 1)])\r')
    await terminal.shows(/\nOrderedDict\([^\n]*\n[^\n]*>>> /)
    terminal.type('a_long_name = 5\r')
    await terminal.shows(/>>> /)
    terminal.type('a_lo\t')
    await terminal.shows(/a_long_name/)
    terminal.type(' + 1\r')
    await terminal.shows(/\n6\r\n[^\n]*>>> /)
    terminal.type('if True:\r')
    await terminal.shows(/\.\.\. /)
    terminal.type('\t')
    await terminal.shows(/ {4}/)
    terminal.type('print("in" + "dented")\r\r')
    await terminal.shows(/\nindented\r\n[^\n]*>>> /)
    expect(await leave(terminal)).toBe(0)
  })

  it('keeps what was typed for the next time, for its user alone', async () => {
    const first = await atPrompt()
    first.type('remembered = 1\r')
    await first.shows(/>>> /)
    await leave(first)
    const file = join(state, 'tendril', 'repl_history')
    expect(existsSync(file) && statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(state, 'tendril')).mode & 0o777).toBe(0o700)
    expect(readFileSync(file, 'utf8').split('\n')).toContain('remembered = 1')
    const second = await atPrompt()
    second.type('\u001B[A')
    await second.shows(/remembered = 1/)
    second.type('\r')
    await second.shows(/>>> /)
    expect(await leave(second)).toBe(0)
  })

  it('shows colours where the terminal has them and nobody minds', async () => {
    const terminal = await atPrompt({ XDG_STATE_HOME: state, NO_COLOR: '', TERM: 'xterm-256color', FORCE_COLOR: '' })
    expect(terminal.shown).toContain('\u001B[1;35m>>>')
    terminal.type('1/0\r')
    await terminal.shows(/\[31mTraceback/)
    await leave(terminal)
    const without = await atPrompt()
    expect(without.shown).not.toContain('[1;35m')
    await leave(without)
  })

  it('leaves by exit(), with its code', async () => {
    const terminal = await atPrompt()
    terminal.type('exit(4)\r')
    await terminal.shows(/typing is shown/)
    expect(await terminal.exitCode()).toBe(4)
  })

  it('tells of the end of the worker while nobody types', async () => {
    const terminal = await atPrompt()
    terminal.type('import threading, os; threading.Timer(0.2, os._exit, [9]).start()\r')
    await terminal.shows(/ended with exit code 9/)
    await terminal.shows(/typing is shown/)
    expect(await terminal.exitCode()).toBe(1)
  })

  it('lets what is printed meanwhile come above what is being typed', async () => {
    const terminal = await atPrompt()
    terminal.type('import threading; threading.Timer(0.3, print, ["from" + " beside"]).start()\r')
    await terminal.shows(/>>> /)
    terminal.type('40 + ')
    await terminal.shows(/from beside\r\n[\s\S]*>>> 40 \+ /)
    terminal.type('2\r')
    await terminal.shows(/\n42\r\n/)
    expect(await leave(terminal)).toBe(0)
  })
})
