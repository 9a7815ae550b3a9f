// The variables of a task are a module, as far as Python's own modules look: pickle, dataclasses, multiprocessing, inspect.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { chosenInterpreters } from '../interpreters.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-scopes-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each(chosenInterpreters())('the module of a task on $name', ({ name, command }) => {
  const group = new Group()
  let gateway: Gateway
  const first = (source: string): Promise<unknown> => gateway.remoteExec(source).receive()
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })
  afterAll(() => group.terminate())

  it('has the names of the task, and takes new ones', async () => {
    expect(
      await first(`
        import sys
        module = sys.modules[__name__]
        module.one = 1
        two = 2
        before = [one, module.two, module.__name__, isinstance(module, type(sys)), vars(module) is globals(), 'two' in dir(module)]
        del module.two
        import __channelexec__
        channel.send(before + ['two' in globals(), hasattr(module, 'two'), __channelexec__ is module])
      `),
    ).toEqual([1, 2, '__channelexec__', true, true, true, false, false, true])
  })

  it('asks the __getattr__ of its task for other names, where modules of that Python do', async () => {
    const [its, plain] = (await first(`
      import sys
      def __getattr__(name):
          if name == 'late':
              return 17
          raise AttributeError(name)
      plain = sys.modules['plain'] = type(sys)('plain')
      plain.__getattr__ = __getattr__
      def look(module):
          try:
              exec('from %s import late' % module.__name__)
          except ImportError:
              pass
          return [getattr(module, 'late', None), hasattr(module, 'other'), 'late' in locals()]
      channel.send([look(sys.modules[__name__]), look(plain)])
    `)) as unknown[]
    expect(its).toEqual(plain)
  })

  it.each(['None', 'type(sys)("other")', 'sys.modules.pop("__channelexec__")'])(
    'may be put away before anybody has looked at it: %s',
    async (other) => {
      await using own = new Group()
      const fresh = await own.makeGateway(`popen//python=${command}`)
      const channel = fresh.remoteExec(`
        import sys, threading
        module = sys.modules['__channelexec__']
        sys.modules['__channelexec__'] = ${other}
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        channel.send(module.thread is thread)
      `)
      expect([await channel.receive(), await fresh.eval('1')]).toEqual([true, 1])
    },
  )

  it('goes with its task', async () => {
    await gateway.remoteExec('class Big(object): pass\nbig = Big()').waitClose()
    expect(await gateway.eval('hasattr(__import__("__channelexec__"), "big")')).toBe(false)
    expect(
      await gateway.eval(
        'import gc; gc.collect(); [each for each in gc.get_objects() if type(each).__name__ == "Big"]',
      ),
    ).toEqual([])
  })

  it('is where pickle finds classes and functions, in threads of the task too', async () => {
    expect(
      await first(`
        import pickle, threading
        class Point(object):
            def __init__(self, x): self.x = x
        def make(x): return Point(x)
        copies = []
        def copy(): copies.append(pickle.loads(pickle.dumps([Point(7), make], 2)))
        copy()
        from multiprocessing.pool import ThreadPool
        pool = ThreadPool(1)
        copies.append(pool.map(pickle.loads, [pickle.dumps([Point(7), make], 2)])[0])
        pool.terminate()
        channel.send([[point.x, type(point) is Point, made is make] for point, made in copies])
      `),
    ).toEqual([
      [7, true, true],
      [7, true, true],
    ])
  })

  it('answers threads that begin and end by the hundred for the task that has started them', async () => {
    const source = `
      import pickle, threading
      class Point(object): factor = factor
      data, found = pickle.dumps(Point, 2), []
      def find(): found.append(pickle.loads(data).factor)
      for n in range(60):
          threads = [threading.Thread(target=find) for _ in range(4)]
          for thread in threads: thread.start()
          for thread in threads: thread.join()
      channel.send([len(found), list(set(found))])
    `
    const tasks = [2, 3, 5, 7].map((factor) => gateway.remoteExec(source, { factor }).receive())
    expect(await Promise.all(tasks)).toEqual([2, 3, 5, 7].map((factor) => [240, [factor]]))
  })

  it.skipIf(/2\.7|3\.6/.test(name))('is where dataclasses find what annotations name that are text', async () => {
    expect(
      await first(`
        from __future__ import annotations
        import dataclasses, typing
        @dataclasses.dataclass
        class Point:
            x: int
            places: typing.ClassVar[int] = 3
        channel.send([[field.name for field in dataclasses.fields(Point)], typing.get_type_hints(Point)['x'] is int])
      `),
    ).toEqual([['x'], true])
  })

  it('answers each of two tasks for the functions of its own, with a pool of processes each', async () => {
    const source = `
      import multiprocessing, sys
      fork = multiprocessing.get_context('fork') if sys.version_info > (3, 4) else multiprocessing
      def f(x): return x * factor
      pool = fork.Pool(2, maxtasksperchild=1)
      channel.send('ready')
      channel.receive()
      results = pool.map(f, range(3), 1)
      pool.close()
      pool.join()
      channel.send(results)
    `
    const tasks = [2, 3].map((factor) => gateway.remoteExec(source, { factor }))
    for (const task of tasks) expect(await task.receive()).toBe('ready')
    for (const task of tasks) await task.send('go')
    expect(await Promise.all(tasks.map((task) => task.receive()))).toEqual([
      [0, 2, 4],
      [0, 3, 6],
    ])
  })

  it.skipIf(/2\.7/.test(name))('says that another start method than fork does not take a function along', async () => {
    const texts = await first(`
      import multiprocessing
      def f(x): return x
      def text_of(function, *args):
          try:
              return function(*args)
          except Exception as e:
              return str(e)
      spawn = multiprocessing.get_context('spawn')
      texts = [text_of(spawn.Process(target=f).start)]
      with multiprocessing.get_context('fork').Pool(1) as forked, spawn.Pool(1) as spawned:
          texts += [forked.map(f, [5]), spawned.map(abs, [-1]), text_of(spawned.map, f, [1]), forked.map(f, [6])]
      channel.send(texts)
    `)
    const refusal = expect.stringMatching(
      /^cannot send f to another process.* start method 'spawn' .*get_context\('fork'\)/,
    )
    expect(texts).toEqual([refusal, [5], [1], refusal, [6]])
  })

  it('knows its file, and the sources of what is in it, where there is none', async () => {
    const file = join(folder, 'job.py')
    const source = `import inspect
class Point(object):
    pass
def f(x):
    return x
channel.send([__file__, inspect.getsource(f), inspect.getsource(Point)])
`
    writeFileSync(file, source)
    const channel = gateway.remoteExec({ file })
    rmSync(file)
    expect(await channel.receive()).toEqual([file, 'def f(x):\n    return x\n', 'class Point(object):\n    pass\n'])
    expect(await first('channel.send("__file__" in globals())')).toBe(false)
  })
})
