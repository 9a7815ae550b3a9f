// Imports of many threads at once, of gateways of every kind, and those that are cut short.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter, type Interpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { runInvitation } from '../testbeds/dialer.js'
import { Host } from '../testbeds/hosts.js'
import { noHosts, noSshd, titled } from '../testbeds/needs.js'
import { startSshd } from '../testbeds/sshd.js'

const pylib = fileURLToPath(new URL('../fixtures/pylib', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tendril-threads-'))
const group = new Group()
afterEach(async () => void (await group.terminate()))
afterAll(() => rmSync(folder, { recursive: true }))

const some = [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')].filter(
  (found): found is Interpreter => found !== undefined,
)
const python = `python=${anyInterpreter().command}`

/** A package of so many modules, each of which imports two others: all come with the first. */
function makePackage(name: string, modules: number): string {
  const root = join(folder, name)
  mkdirSync(join(root, name, 'inner'), { recursive: true })
  writeFileSync(join(root, name, '__init__.py'), '')
  writeFileSync(join(root, name, 'inner', '__init__.py'), '')
  for (let at = 0; at < modules; at++) {
    const next = [2 * at + 1, 2 * at + 2].filter((other) => other < modules)
    const imports = next.map((other) => `from ${name}.inner import m${other}`)
    const filler = `TABLE = ${JSON.stringify(Array.from({ length: 200 }, (_, n) => `${at}-${n * 7919}`))}\n`
    writeFileSync(join(root, name, 'inner', `m${at}.py`), `${imports.join('\n')}\n${filler}`)
  }
  return root
}

/** Keeps this process from doing anything until something is so, for half a minute at most; the worker goes on. */
function blockUntil(isTrue: () => boolean): void {
  const ticks = new Int32Array(new SharedArrayBuffer(4))
  for (let tick = 0; tick < 1500 && !isTrue(); tick++) Atomics.wait(ticks, 0, 0, 20)
}

async function answersOf(gateway: Gateway): Promise<unknown> {
  gateway.provide({ roots: [pylib] })
  return gateway.remoteExec('import shop\nchannel.send([shop.to_cents("apple"), shop.prices.__file__])').receive()
}

const answers = [50, `${pylib}/shop/prices.py`]

describe.each([...some, findInterpreter('CPython 3.8')].filter((found) => found !== undefined))(
  'the first thread of a worker, to $name',
  ({ name, command }) => {
    it('may wait in an import without holding up channels and calls', async () => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      const main = gateway.remoteExec(`
        import sys
        try: import _thread as thread
        except ImportError: import thread
        sys.modules.pop('threading', None)
        begun, goes_on = thread.allocate_lock(), thread.allocate_lock()
        begun.acquire()
        goes_on.acquire()
        class Finder(object):
            def find_spec(self, name, path=None, target=None):
                if name == 'threading' and not goes_on.acquire(False):
                    begun.release()
                    goes_on.acquire()
            find_module = find_spec
        sys.meta_path.insert(0, Finder())
        channel.send('ready')
        begun.acquire()
        channel.gateway.newchannel()
        channel.setcallback
        channel.send('made' if sys.version_info[0] == 2 else bytearray(b'made')) # pickle imports what it names, under Python 2's lock
        channel.receive()
        met, idents, told = sys.modules[thread.__name__], [], thread.allocate_lock()
        told.acquire()
        met.start_new_thread(lambda: [idents.append(met.get_ident()), told.release()], ())
        told.acquire()
        channel.send(idents[0] != thread.get_ident() == met.get_ident())
        goes_on.release()
      `)
      expect(await main.receive()).toBe('ready')
      const beside = gateway.remoteExec('channel.send(channel.receive())')
      expect(String(await main.receive())).toMatch(/made|109,97,100,101/)
      await main.send(1)
      expect(await main.receive()).toBe(true)
      await beside.send(2)
      expect(await beside.receive()).toBe(2)
    })

    it('is known to a thread while another one has the import lock', async () => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      await gateway.remoteExec('import imp, time').waitClose() // later imports look at what is provided
      gateway.provide({ roots: [pylib] })
      const holding = gateway.remoteExec(`
        import imp, time
        from _tendril import _thread
        from _tendril.elastic import shelf
        ended = []
        imp.acquire_lock()
        _thread.start_new_thread(lambda: ended.append(shelf.catch_up()), ())
        until = time.time() + 5
        while not ended and time.time() < until: time.sleep(0.001)
        imp.release_lock()
        channel.send([len(ended), shelf.news])
      `)
      expect(await holding.receive()).toEqual([1, 1])
    })

    it.each([
      ['asks the controller', 'controller = sys.modules["__main__"].controller\nGOT = controller.f(3)'],
      ['receives', 'sys.channel.send(1)\nGOT = sys.channel.receive()'],
    ])('goes on while a module that is imported %s, beside a call and a task', async (what, waits) => {
      const name = what.split(' ')[0] ?? ''
      const root = join(folder, name)
      mkdirSync(join(root, name), { recursive: true })
      writeFileSync(join(root, name, '__init__.py'), `import sys\n${waits}\nfrom . import later`)
      writeFileSync(join(root, name, 'later.py'), 'import difflib')
      for (let round = 0; round < 5; round++) {
        const gateway = await group.makeGateway(`popen//python=${command}`)
        gateway.expose({ f: async (n: number) => n + (await gateway.call<number>('abs', [-1])) })
        gateway.provide({ roots: [root] })
        const importing = gateway.remoteExec(
          `import sys\nsys.channel = channel\nimport ${name}\nchannel.send(${name}.GOT)`,
        )
        const beside = gateway.remoteExec('import decimal; channel.send(2)')
        expect(await Promise.all([gateway.call('abs', [-1]), beside.receive()])).toEqual([1, 2])
        if (name === 'receives') await importing.receive().then(() => importing.send(4))
        expect(await importing.receive()).toBe(4)
        await gateway.exit()
      }
    })

    // On PyPy that fails with files, too.
    it.skipIf(name.startsWith('PyPy'))('imports a package beside a task that imports a module of it', async () => {
      const root = join(folder, 'beside')
      mkdirSync(join(root, 'mine'), { recursive: true })
      writeFileSync(join(root, 'mine', '__init__.py'), 'from . import a, b')
      writeFileSync(join(root, 'mine', 'a.py'), 'import json')
      writeFileSync(join(root, 'mine', 'b.py'), 'import decimal\nY = 2')
      for (let round = 0; round < 5; round++) {
        const gateway = await group.makeGateway(`popen//python=${command}`)
        gateway.provide({ roots: [root] })
        const whole = gateway.remoteExec('import mine, sys; channel.send(mine is sys.modules["mine"] and mine.b.Y)')
        const part = gateway.remoteExec('import mine.b; channel.send(mine.b.Y)')
        expect(await Promise.all([whole.receive(), part.receive()])).toEqual([2, 2])
        await gateway.exit()
      }
    })

    it('may be there for a call beside the first import of what is provided', async () => {
      for (let round = 0; round < 5; round++) {
        const gateway = await group.makeGateway(`popen//python=${command}`)
        gateway.provide({ roots: [pylib] })
        const importing = gateway.remoteExec('import shop; channel.send(1)')
        expect(await Promise.all([importing.receive(), gateway.call('abs', [-1])])).toEqual([1, 1])
        await gateway.exit()
      }
    })

    it('imports what is provided while another thread is amid its import of linecache', async () => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      await gateway.execute(`
        import linecache, sys
        half = sys.modules['linecache'] = type(sys)('linecache')
        half.__file__ = linecache.__file__`)
      expect(await answersOf(gateway)).toEqual(answers)
      await gateway.exit()
    })
  },
)

describe.each([findInterpreter('CPython 2.7')].filter((found) => found !== undefined))(
  'code on $name that has the import lock',
  ({ command }) => {
    it('holds up nothing that imports nothing', async () => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      await expect(gateway.eval('1 / 0')).rejects.toThrow('ZeroDivisionError')
      const holding = gateway.remoteExec(`
        import imp, time
        channel.receive()
        imp.acquire_lock()
        channel.send('holds it')
        while len(channel.items.items) < 2: time.sleep(0.001)
        imp.release_lock()
        channel.send([len(channel.receive()) for _ in range(2)])`)
      await holding.send('begin')
      expect(await holding.receive()).toBe('holds it')
      const beside = gateway.remoteExec('channel.send({1: channel.receive()})')
      await beside.send(new Uint8Array(2 << 20))
      expect(await beside.receive()).toBeInstanceOf(Map)
      expect(await gateway.call('abs', [-1])).toBe(1)
      await expect(gateway.eval('1 / 0')).rejects.toThrow('ZeroDivisionError')
      await holding.send('x'.repeat(3 << 20))
      await holding.send('y')
      expect(await holding.receive()).toEqual([3 << 20, 1])
    })
  },
)

describe.for(some.map(({ name, command }) => [name, command] as const))('imports in threads of %s', ([, command]) => {
  const open = () => group.makeGateway(`popen//python=${command}`)

  it('run while the main thread is busy', async () => {
    const gateway = await open()
    gateway.provide({ roots: [pylib] })
    const busy = gateway.remoteExec('channel.send(1)\nchannel.receive()\nimport shop\nchannel.send(shop.NAME)')
    await busy.receive()
    expect(await gateway.remoteExec('import shop\nchannel.send(shop.NAME)').receive()).toBe('shop')
    await busy.send(1)
    expect(await busy.receive()).toBe('shop')
  })

  it('of the same module at the same time are one', async () => {
    const gateway = await open()
    gateway.provide({ roots: [makePackage('same', 20)] })
    const source = `
      import threading
      failures, seen = [], []
      def work():
          try:
              import same.inner.m0
              seen.append(id(same.inner.m0.TABLE))
          except BaseException as e: failures.append(repr(e))
      threads = [threading.Thread(target=work) for _ in range(16)]
      for thread in threads: thread.start()
      for thread in threads: thread.join()
      from _tendril.shelf import shelf
      channel.send([failures, len(seen), len(set(seen)), len(shelf.sources)])
    `
    expect(await gateway.remoteExec(source).receive({ timeout: 60_000 })).toEqual([[], 16, 1, 22])
  })

  it('of modules that import each other end', async () => {
    const source = `
      import threading
      failures = []
      def work(name):
          try: assert __import__(name, fromlist=['x']).other()
          except BaseException as e: failures.append(repr(e))
      threads = [threading.Thread(target=work, args=('rings.' + name,)) for name in ('alpha', 'beta') * 2]
      for thread in threads: thread.start()
      for thread in threads: thread.join()
      import rings.alpha, rings.beta
      channel.send([rings.alpha.other(), rings.beta.other()])
    `
    for (let turn = 0; turn < 5; turn++) {
      await using gateway = await open()
      gateway.provide({ roots: [pylib] })
      expect(await gateway.remoteExec(source).receive({ timeout: 60_000 })).toEqual(['beta', 'alpha'])
    }
  })

  it('wait for a slow controller without holding up imports of what is here', async () => {
    const gateway = await open()
    gateway.provide({ roots: [pylib] })
    const mark = join(folder, 'imported')
    const waiting = gateway.remoteExec(`
      channel.receive()
      channel.send(1)
      import shop
      channel.send(shop.__name__)
    `)
    const other = gateway.remoteExec(
      `
      import time
      from _tendril.shelf import shelf
      channel.send(1)
      while not shelf.waiting: time.sleep(0.001)
      import wave
      open(path, 'w').close()
    `,
      { path: mark },
    )
    await other.receive()
    await waiting.send(1)
    await waiting.receive()
    blockUntil(() => existsSync(mark))
    expect(existsSync(mark)).toBe(true)
    expect(await waiting.receive()).toBe('shop')
  })

  it('are whole again after one that was interrupted', async () => {
    const root = join(folder, 'slow')
    mkdirSync(root, { recursive: true })
    writeFileSync(
      join(root, 'slowly.py'),
      'import os, signal, sys, threading, time\nif not hasattr(sys, "was_slow"):\n    sys.was_slow = True\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(1000)\nimport quickly\n',
    )
    writeFileSync(join(root, 'quickly.py'), 'X = 1\n')
    const gateway = await open()
    gateway.provide({ roots: [root] })
    await expect(gateway.remoteExec('import slowly').waitClose({ timeout: 60_000 })).rejects.toMatchObject({
      type: 'KeyboardInterrupt',
    })
    expect(await gateway.remoteExec('import slowly\nchannel.send(slowly.quickly.X)').receive({ timeout: 60_000 })).toBe(
      1,
    )
  })
})

describe('gateways', () => {
  it('beside another one have it', async () => {
    await using both = await Group.open([`popen//id=carrier//${python}`, 'popen//via=carrier'])
    expect(await answersOf(both.get(1))).toEqual(answers)
  })

  it('that have dialed home have it', async () => {
    const arrivals = await group.listen({})
    await using _dialer = runInvitation(arrivals.invite())
    const gateway = await arrivals.next()
    expect(gateway && (await answersOf(gateway))).toEqual(answers)
    arrivals.close()
  })

  it('with tasks on the main thread only have it', async () => {
    expect(await answersOf(await group.makeGateway(`popen//execmodel=main_thread_only//${python}`))).toEqual(answers)
  })

  it('that are killed during an import end everybody who waits, and nothing stays', async () => {
    const mark = new Mark()
    const root = join(folder, 'endless')
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'endless.py'), 'import time\nopen("/dev/null")\nwhile True: time.sleep(0.01)\n')
    const gateway = await group.makeGateway(`popen//${python}//${mark.key}`)
    gateway.provide({ roots: [root, makePackage('large', 150)] })
    const importing = gateway.remoteExec('channel.send(1)\nimport endless')
    await importing.receive()
    const other = gateway.remoteExec('channel.send(1)\nimport large.inner.m0\nchannel.receive()')
    await other.receive()
    process.kill((await gateway.info()).pid, 'SIGKILL')
    await expect(importing.waitClose()).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    await expect(other.receive()).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    expect(() => gateway.provide({ roots: [root] })).toThrow(expect.objectContaining({ code: 'ERR_GATEWAY_CLOSED' }))
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('that end while they wait for a module leave in peace', async () => {
    const gateway = await group.makeGateway(`popen//${python}`)
    gateway.provide({ roots: [makePackage('pending', 150)] })
    void gateway
      .remoteExec('import pending.inner.m0')
      .waitClose()
      .catch(() => undefined)
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
  })
})

describe.skipIf(noHosts ?? noSshd)(titled('over a slow link', noHosts ?? noSshd), () => {
  it('150 modules take one round trip', async () => {
    await using host = await Host.startFarAway(50)
    await using sshd = await startSshd({ netns: host.netns, address: host.address, port: 22 })
    const gateway = await group.makeGateway(`${sshd.spec}//${python}`)
    gateway.provide({ roots: [makePackage('faraway', 150)] })
    const source = `
      import time
      start = time.time()
      import faraway.inner.m0
      took = time.time() - start
      from _tendril.shelf import shelf
      channel.send([shelf.asked, len(shelf.sources), took])
    `
    const [asked, modules, seconds] = (await gateway.remoteExec(source).receive()) as number[]
    expect([asked, modules]).toEqual([1, 152])
    process.stdout.write(`150 modules over 50 ms each way: ${seconds?.toFixed(2)} s\n`)
    await group.terminate()
  })
})
