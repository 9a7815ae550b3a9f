// Interpreters in odd surroundings: working directories, locales, flags, descriptors.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const { command } = anyInterpreter()
const python2 = findInterpreter('CPython 2.7')?.command
const nonblocking = fileURLToPath(new URL('../fixtures/nonblocking.py', import.meta.url))
let folder = ''
const builtins = 'sys.modules["builtins" if sys.version_info[0] > 2 else "__builtin__"]'
/** What a sitecustomize may do, and a worker start all the same. */
const sites: Readonly<Record<string, string>> = {
  'writes megabytes to stderr': 'for i in range(40): os.write(2, b"e" * 65536)',
  'forks a child that lives on': 'if os.fork() == 0: os.execvp("sleep", ["sleep", "20"])',
  'closes stderr': 'os.close(2)',
  'closes all descriptors behind it': 'os.closerange(3, 256)',
  'has no streams': 'sys.stdin = sys.stdout = sys.stderr = sys.__stdin__ = sys.__stdout__ = sys.__stderr__ = None',
  'has streams without fileno': 'sys.stdin = sys.stdout = sys.stderr = type("S", (), {"write": lambda *a: None})()',
  'changes the working directory, and leads a session': 'os.chdir("/")\nif os.getpid() != os.getpgrp(): os.setsid()',
  raises: 'raise ValueError("of the site")',
  'starts a thread':
    'import threading, time; t = threading.Thread(target=time.sleep, args=(20,)); t.daemon = True; t.start()',
  profiles: 'sys.setprofile(lambda *a: None)',
  traces: 'def trace(*a): return trace\nsys.settrace(trace)',
  'replaces open': `def broken(*a, **k): raise ValueError("open")\n${builtins}.open = broken`,
  'wraps imports': `real = ${builtins}.__import__\n${builtins}.__import__ = lambda *a, **k: real(*a, **k)`,
  'handles signals': 'import signal\nfor n in (1, 2, 15): signal.signal(n, lambda *a: None)',
}
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-surroundings-'))
  mkdirSync(join(folder, 'hostile'))
  for (const name of [
    'zlib',
    'os',
    'select',
    'struct',
    'signal',
    'time',
    'errno',
    'pickle',
    '_pickle',
    'traceback',
    'linecache',
    'threading',
    'io',
  ]) {
    writeFileSync(join(folder, 'hostile', `${name}.py`), 'raise RuntimeError("imported from the working directory")\n')
  }
  for (const [name, text] of Object.entries(sites)) {
    const site = join(folder, name.replaceAll(' ', '-'))
    mkdirSync(site)
    writeFileSync(join(site, 'sitecustomize.py'), `import os, sys\n${text}\n`)
  }
  mkdirSync(join(folder, 'site'))
  writeFileSync(
    join(folder, 'site', 'sitecustomize.py'),
    'import os, sys\nsys.stdout.write("site noise\\n")\nos.write(1, b"more\\n")\n',
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Prints, fails and answers: what any worker must be able to do. */
async function expectWorks(python: string, ...keys: string[]): Promise<void> {
  const texts: string[] = []
  await using group = new Group({ onOutput: ({ text }) => texts.push(text) })
  const gateway = await group.makeGateway(['popen', `python=${python}`, 'timeout=60s', ...keys].join('//'))
  expect(await gateway.remoteExec('channel.send(u"\\xe9\\U0001f600")').receive()).toBe('é😀')
  await expect(gateway.remoteExec('print("printed"); raise ValueError("17")').waitClose()).rejects.toThrow(
    'ValueError: 17',
  )
  await gateway
    .remoteExec('import sys; sys.stdout.write(u"\\xe9\\n" if sys.version_info[0] > 2 else u"\\xe9\\n".encode("utf-8"))')
    .waitClose()
  expect(texts.filter((text) => text === 'printed' || text === 'é')).toEqual(['printed', 'é'])
}

/** An interpreter whose signals a program has left in some state. */
const beneath = (statement: string, python: string): string =>
  `${command} -c 'import os, signal, sys; ${statement}; os.execv(sys.argv[1], sys.argv[1:])' ${python}`
const within = (script: string, python = command): string => `sh -c '${script}; exec "$0" "$@"' ${python}`

describe.each([['CPython 3', command], ...(python2 === undefined ? [] : [['CPython 2.7', python2]])])(
  '%s starts',
  (_, python = '') => {
    it('in a working directory that has been removed', () =>
      expectWorks(within(`mkdir ${folder}/gone$$; cd ${folder}/gone$$; rmdir ${folder}/gone$$`, python)))

    it('in a working directory full of modules with the names of its own', () =>
      expectWorks(within(`cd ${folder}/hostile`, python)))

    it('in such a working directory, runs a second task beside the first and leaves without a word', async () => {
      const texts: string[] = []
      const group = new Group({ onOutput: ({ text }) => texts.push(text) })
      const gateway = await group.makeGateway(`popen//python=${within(`cd ${folder}/hostile`, python)}`)
      gateway.remoteExec('channel.receive()')
      expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
      expect([(await group.terminate()).killed, texts]).toEqual([[], []])
    })

    it('with stderr closed', () => expectWorks(within('exec 2>&-', python)))

    it('with non-blocking descriptors', () => expectWorks(`${command} ${nonblocking} ${python}`))

    it('with the C locale', () => expectWorks(python, 'env:LANG=C', 'env:LC_ALL=C', 'env:PYTHONIOENCODING=ascii'))

    it('without site', () => expectWorks(`${python} -S`))

    it('without its environment', () => expectWorks(`${python} -E -s`, `env:PYTHONPATH=${folder}/hostile`))

    it('without a place to write', () =>
      expectWorks(python, 'env:HOME=/nowhere', 'env:TMPDIR=/nowhere', 'env:PYTHONPYCACHEPREFIX=/proc/nowhere'))

    it('with a site that prints', () => expectWorks(python, `env:PYTHONPATH=${folder}/site`))

    it.each(Object.keys(sites))('with a site that %s', (name) =>
      expectWorks(python, `env:PYTHONPATH=${folder}/${name.replaceAll(' ', '-')}`),
    )

    it.each(['os.close(1)', 'os.close(0)', 'os.dup2(os.open(os.devnull, os.O_RDONLY), 0)', 'os._exit(4)', '1 // 0'])(
      'or says what is wrong, with a site that does %s',
      async (statement) => {
        const site = mkdtempSync(join(folder, 'wrong-'))
        const text = `import os, sys\ntry:\n    ${statement}\nexcept ArithmeticError:\n    sys.excepthook(*sys.exc_info())\n    os._exit(1)\n`
        writeFileSync(join(site, 'sitecustomize.py'), text)
        await using group = new Group()
        const opening = group.makeGateway(`popen//python=${python}//env:PYTHONPATH=${site}`)
        await expect(opening).rejects.toThrow(
          /ended with exit code \d before it was ready\. (stderr: "(ZeroDivisionError|OSError|select\.error): .*|.*a wrapper, a sitecustomize\.$)/,
        )
      },
    )

    it('unbuffered, with warnings as errors', () => expectWorks(`${python} -u -W error`))

    it('with SIGINT, SIGPIPE and SIGCHLD ignored', () => expectWorks(within('trap "" INT PIPE CHLD', python)))

    it('where SIGCHLD is ignored, and carries others', async () => {
      await using group = new Group()
      await group.makeGateway(
        `popen//id=carrier//python=${beneath('signal.signal(signal.SIGCHLD, signal.SIG_IGN)', python)}`,
      )
      const gateway = await group.makeGateway('popen//via=carrier')
      expect(await gateway.remoteExec('import subprocess; channel.send(subprocess.call(["true"]))').receive()).toBe(0)
      expect((await group.terminate({ timeout: Infinity })).killed).toEqual([])
    })

    it('where user code has SIGCHLD ignored, beside that', async () => {
      await using group = new Group()
      const carrier = await group.makeGateway(`popen//id=carrier//python=${python}`)
      await carrier.remoteExec('import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)').waitClose()
      const gateway = await group.makeGateway('popen//via=carrier')
      expect(await gateway.eval('6 * 7')).toBe(42)
    })

    it('from a shell that gives every command a process group', () =>
      expectWorks(`sh -c 'set -m; "$0" "$@"; true' ${python}`))

    it('with few descriptors', () => expectWorks(within('ulimit -n 32', python)))
  },
)

describe('CPython 3', () => {
  it('starts where all signals are blocked, and can be interrupted', async () => {
    await using group = new Group()
    const blocked = beneath('signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))', command)
    const gateway = await group.makeGateway(`popen//python=${blocked}`)
    await gateway.remoteExec('channel.send(1)\nwhile True: pass').receive()
    // Before half of the time it is not interrupted.
    expect((await gateway.terminate({ timeout: 15_000 })).killed).toEqual([])
  })

  it('starts isolated', () => expectWorks(`${command} -I`))

  it('starts in development mode', () => expectWorks(`${command} -X dev`))

  it('starts with strict locale of bytes', () => expectWorks(`${command} -X utf8=0`, 'env:LC_ALL=POSIX'))

  it('starts optimized, without docstrings', () => expectWorks(`${command} -OO`))
})
