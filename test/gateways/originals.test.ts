// What the worker imports for itself is Python's, whatever has its name in the working directory or stands in its place.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, RemoteError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'

const names = [
  ...['types', 'enum', 'token', 'tokenize', 'textwrap', 'datetime', 'traceback', 'ast', 'socket', 'subprocess'],
  ...[
    'logging',
    'random',
    'queue',
    'selectors',
    'signal',
    'struct',
    'pickle',
    're',
    'functools',
    'operator',
    'itertools',
  ],
  ...[
    'collections',
    'copyreg',
    'warnings',
    'weakref',
    'asyncio',
    'threading',
    'contextlib',
    'keyword',
    'reprlib',
    'array',
  ],
  ...[
    'math',
    'ctypes',
    'mmap',
    'stat',
    'io',
    'errno',
    'inspect',
    'typing',
    'dataclasses',
    'fcntl',
    '_socket',
    'binascii',
    'ssl',
    'stringprep',
    'unicodedata',
    'multiprocessing',
    'thread',
  ],
]

const folder = mkdtempSync(join(tmpdir(), 'tendril-'))
const root = mkdtempSync(join(tmpdir(), 'tendril-'))
const printed: string[] = []
const group = new Group({ onOutput: ({ gateway, text }) => printed.push(`${gateway}: ${text}`) })

beforeAll(() => {
  for (const name of names) writeFileSync(join(folder, `${name}.py`), `mine = True\nprint("${name} was imported")\n`)
  writeFileSync(join(root, 'parcel.py'), 'def size():\n    return 7\n')
  writeFileSync(join(folder, 'app.py'), 'def fail():\n    raise ValueError("no")\n')
})

afterAll(async () => {
  await group.terminate()
  for (const each of [folder, root]) rmSync(each, { recursive: true })
})

/** Tells which of the names are those of the folder. */
const look = `
found = []
for name in ${JSON.stringify(names)}:
    try:
        found.append('%s %s' % (name, hasattr(__import__(name), 'mine')))
    except ImportError:
        found.append(name + ' fails')
found = '\\n'.join(found)`

/** What takes modules of Python's, in every part of the worker. */
async function useAll(gateway: Gateway): Promise<void> {
  expect(await gateway.call('len', ['abc'])).toBe(3)
  expect(await gateway.eval('when', { when: new Date(0) })).toEqual(new Date(0))
  expect(await gateway.eval('row', { row: new Float64Array(2) })).toEqual(new Float64Array(2)) // whose code in C imports, too
  expect(await gateway.eval('f(1)', { f: (x: unknown) => Number(x) + 1 })).toBe(2)
  const items: unknown[] = []
  for await (const item of (await gateway.eval('iter([1, 2])')) as AsyncIterable<unknown>) items.push(item)
  expect(items).toEqual([1, 2])
  await (await gateway.forward({ remoteListen: 0, to: 1 })).close()
  expect(await gateway.stacks()).not.toEqual([])
  expect(await errorOf(gateway.call('int', ['x']))).toBeInstanceOf(RemoteError)
  expect(await errorOf(gateway.eval('1 +'))).toMatchObject({ message: expect.stringContaining('SyntaxError') })
}

describe.each(chosenInterpreters())('beside modules of the names of Python’s, $name', ({ command }) => {
  it('imports none of them, whatever is asked of it', async () => {
    const gateway = await group.makeGateway(`popen//python=${command}//chdir=${folder}//roots=${root}`)
    await useAll(gateway)
    expect(await gateway.call('parcel.size')).toBe(7) // provided from here
    const error = await errorOf(gateway.call('app.fail'))
    expect(error instanceof RemoteError && error.traceback).toContain('    raise ValueError("no")\n')
    const carried = await group.makeGateway(`popen//python=${command}//via=${gateway.id}`)
    expect(await carried.call('len', ['abc'])).toBe(3)
    expect(printed.filter((line) => line.startsWith(`${gateway.id}:`))).toEqual([])
  })

  it('has user code import what it would without us', async () => {
    // Those of the folder print as they are imported: ahead of what is asked for.
    const plain = execFileSync(command, ['-c', `${look}\nprint('FOUND ' + found)`], { cwd: folder, encoding: 'utf8' })
    const gateway = await group.makeGateway(`popen//python=${command}//chdir=${folder}`)
    await gateway.call('len', ['abc'])
    const found = await gateway.remoteExec(`${look}\nchannel.send(found)`).receive()
    expect(found).toBe(plain.split('FOUND ')[1]?.trimEnd())
  })
})

it.each(chosenInterpreters().filter(({ name }) => name !== 'CPython 2.7'))(
  'awaits coroutines beside what asyncio takes, on $name',
  async ({ command }) => {
    const beside = mkdtempSync(join(tmpdir(), 'tendril-'))
    for (const name of [
      'array',
      'asyncio',
      'collections',
      'enum',
      'multiprocessing',
      'selectors',
      'signal',
      'socket',
      'ssl',
      'typing',
    ])
      writeFileSync(
        join(beside, `${name}.py`),
        'open("imported", "a").write(__name__)\nraise ImportError("from the working directory")\n',
      )
    const gateway = await group.makeGateway(`popen//python=${command}//chdir=${beside}`)
    await gateway.execute('async def five():\n    return 5')
    expect(await gateway.call('five')).toBe(5)
    expect(await gateway.eval('open("imported", "a").tell()')).toBe(0)
    rmSync(beside, { recursive: true })
  },
)

it.each(['re', 'types', 'threading', 'traceback', 'io', 'sys'])('works without %s in sys.modules', async (name) => {
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  await gateway.remoteExec(`import sys; sys.modules['${name}'] = None`).waitClose()
  await useAll(gateway)
})

it('starts where something that is no text stands in sys.path, as Python does', async () => {
  const site = mkdtempSync(join(tmpdir(), 'tendril-'))
  writeFileSync(join(site, 'sitecustomize.py'), 'import sys\nsys.path += [5, None]\n')
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}//env:PYTHONPATH=${site}`)
  await useAll(gateway)
  rmSync(site, { recursive: true })
})

it('tells each call why it cannot perform any, and performs those that follow when it can', async () => {
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  const block = `
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == '_tendril.inbox': raise ImportError('blocked')
sys.meta_path.insert(0, Blocked())`
  await gateway.remoteExec(block).waitClose()
  for (let i = 0; i < 3; i++) expect(String(await errorOf(gateway.call('len', ['abc'])))).toContain('blocked')
  await gateway.remoteExec('import sys; del sys.meta_path[0]').waitClose()
  await useAll(gateway)
})

it.each(chosenInterpreters().filter(({ name }) => name !== 'CPython 2.7'))(
  'shows the lines of two failures at once, though the first one is amid the import of what shows them, on $name',
  async ({ command }) => {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    // The module is executed once another thread waits for it.
    await gateway.execute(`
import sys, time
from importlib.machinery import PathFinder
class Slow(object):
    def find_spec(self, name, path=None, target=None):
        if name == 'traceback':
            spec = PathFinder.find_spec(name)
            execute = spec.loader.exec_module
            def exec_module(module):
                end = time.time() + 30
                while not any(waits(frame) for frame in list(sys._current_frames().values())) and time.time() < end: time.sleep(0.001)
                execute(module)
            spec.loader.exec_module = exec_module
            return spec
def waits(frame):
    while frame and not (frame.f_code.co_name == 'acquire' and 'importlib' in frame.f_code.co_filename): frame = frame.f_back
    return frame
sys.modules.pop('traceback', None)
sys.meta_path.insert(0, Slow())`)
    const tasks = ['first', 'second'].map((name) =>
      gateway.remoteExec(`channel.send(1); channel.receive(); 1 / 0  # ${name}`),
    )
    const failures = tasks.map((task) => errorOf(task.waitClose()))
    await Promise.all(tasks.map((task) => task.receive())) // both have begun, in two threads
    await Promise.all(tasks.map((task) => task.send(null)))
    const [first, second] = await Promise.all(failures)
    expect(first).toMatchObject({ traceback: expect.stringContaining('# first') as string })
    expect(second).toMatchObject({ traceback: expect.stringContaining('# second') as string })
  },
)
