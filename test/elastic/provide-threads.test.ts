// Imports of many threads at once, of gateways of every kind, and those that are cut short.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter, type Interpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'
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

/** Keeps this process from doing anything; the worker goes on. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

async function answersOf(gateway: Gateway): Promise<unknown> {
  gateway.provide({ roots: [pylib] })
  return gateway.remoteExec('import shop\nchannel.send([shop.to_cents("apple"), shop.prices.__file__])').receive()
}

const answers = [50, `${pylib}/shop/prices.py`]

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
    expect(await gateway.remoteExec(source).receive({ timeout: 10_000 })).toEqual([[], 16, 1, 22])
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
      expect(await gateway.remoteExec(source).receive({ timeout: 10_000 })).toEqual(['beta', 'alpha'])
    }
  })

  it('wait for a slow controller without holding up imports of what is here', async () => {
    const gateway = await open()
    gateway.provide({ roots: [pylib] })
    const waiting = gateway.remoteExec(`
      import time
      channel.receive()
      start = time.time()
      channel.send(1)
      import shop
      channel.send([start, time.time()])
    `)
    const other = gateway.remoteExec(`
      import time
      from _tendril.shelf import shelf
      channel.send(1)
      while not shelf.waiting: time.sleep(0.001)
      import wave
      channel.send(time.time())
    `)
    await other.receive()
    await waiting.send(1)
    await waiting.receive()
    block(700)
    const [start, end] = (await waiting.receive()) as [number, number]
    expect(end - start).toBeGreaterThan(0.6)
    expect(await other.receive()).toBeLessThan(end - 0.2)
  })

  it('are whole again after one that was interrupted', async () => {
    const root = join(folder, 'slow')
    mkdirSync(root, { recursive: true })
    writeFileSync(
      join(root, 'slowly.py'),
      'import os, signal, sys, threading, time\nif not hasattr(sys, "was_slow"):\n    sys.was_slow = True\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(20)\nimport quickly\n',
    )
    writeFileSync(join(root, 'quickly.py'), 'X = 1\n')
    const gateway = await open()
    gateway.provide({ roots: [root] })
    await expect(gateway.remoteExec('import slowly').waitClose({ timeout: 5000 })).rejects.toMatchObject({
      type: 'KeyboardInterrupt',
    })
    expect(await gateway.remoteExec('import slowly\nchannel.send(slowly.quickly.X)').receive({ timeout: 5000 })).toBe(1)
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
    expect(await notGoneWithin(2000, mark.pids)).toEqual([])
  })

  it('that end while they wait for a module leave in time', async () => {
    const gateway = await group.makeGateway(`popen//${python}`)
    gateway.provide({ roots: [makePackage('pending', 150)] })
    void gateway
      .remoteExec('import pending.inner.m0')
      .waitClose()
      .catch(() => undefined)
    const start = performance.now()
    await gateway.terminate()
    expect(performance.now() - start).toBeLessThan(2500)
  })
})

describe.skipIf(noHosts ?? noSshd)(titled('over a slow link', noHosts ?? noSshd), () => {
  it('150 modules take one round trip, and the time of little more', { timeout: 30_000 }, async () => {
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
    expect(seconds).toBeLessThan(2)
    await group.terminate()
  })
})
