// Modules of this side, imported on the other: what packages have and what code asks of them, on every interpreter.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { remoteErrorOf } from '../failing.js'
import { interpreters } from '../interpreters.js'

const pylib = fileURLToPath(new URL('../fixtures/pylib', import.meta.url))
const pylib2 = fileURLToPath(new URL('../fixtures/pylib2', import.meta.url))
const group = new Group()
let elsewhere = '' // where the worker works, so that nothing can be found there

beforeAll(() => {
  elsewhere = mkdtempSync(join(tmpdir(), 'tendril-elsewhere-'))
})
afterAll(async () => {
  await group.terminate()
  rmSync(elsewhere, { recursive: true })
})

describe.for(interpreters().map(({ name, command }) => [name, command] as const))(
  'provided modules on %s',
  ([name, command]) => {
    const isPython2 = name.endsWith('2.7')
    const version = Number(/3\.(\d+)/.exec(name)?.[1] ?? 0)
    let gateway: Gateway

    beforeAll(async () => {
      gateway = await group.makeGateway(`popen//python=${command}//chdir=${elsewhere}`)
      gateway.provide({ roots: [pylib, pylib2] })
    })
    afterAll(() => gateway.terminate())
    const run = (source: string): Promise<unknown> => gateway.remoteExec(source).receive()

    it('has packages, subpackages and relative imports, those in functions too', async () => {
      expect(await run('import shop\nchannel.send([shop.NAME, shop.to_cents("apple"), shop.__name__])')).toEqual([
        'shop',
        50,
        'shop',
      ])
    })

    it('asks the other side for a module whose importer is not sent yet, and what that imports, at once', async () => {
      await using fresh = await group.makeGateway(`popen//python=${command}//chdir=${elsewhere}`)
      fresh.provide({ roots: [pylib] })
      const source = `
      import shop.util.rounding, rings.alpha
      from _tendril.shelf import shelf
      channel.send([shelf.asked, sorted(shelf.sources)])
    `
      expect(await fresh.remoteExec(source).receive()).toEqual([
        1,
        ['rings', 'rings.alpha', 'rings.beta', 'shop', 'shop.prices', 'shop.util', 'shop.util.rounding'],
      ])
    })

    it('shows the paths and the lines of this side in tracebacks', async () => {
      const error = await remoteErrorOf(run('import shop\nshop.prices.fails()'))
      expect(error.frames.at(-1)).toMatchObject({
        file: `${pylib}/shop/prices.py`,
        line: 9,
        name: 'fails',
        text: "raise KeyError('here, on line 9')",
      })
    })

    it('joins a namespace package from all roots', async () => {
      expect(
        await run(
          'import company.one, company.two\nchannel.send([company.one.WHO, company.two.WHO, len(company.__path__)])',
        ),
      ).toEqual(['one', 'two', 2])
    })

    it('reads sources as Python does, whatever their encoding', async () => {
      expect(await run('import shop.latin\nchannel.send(shop.latin.NAME)')).toBe('café')
    })

    it('takes what declares no encoding for UTF-8, and anything else for an error', async () => {
      const root = mkdtempSync(join(tmpdir(), 'tendril-encodings-'))
      writeFileSync(join(root, 'utf_8.py'), 'NAME = u"café"\n')
      writeFileSync(join(root, 'other.py'), Buffer.from('\nNAME = u"café"\n', 'latin1'))
      try {
        await using fresh = await group.makeGateway(`popen//python=${command}//chdir=${elsewhere}`)
        fresh.provide({ roots: [root] })
        expect(await fresh.eval('__import__("utf_8").NAME')).toBe('café')
        expect((await remoteErrorOf(fresh.eval('__import__("other").NAME'))).type).toBe('SyntaxError')
      } finally {
        rmSync(root, { recursive: true })
      }
    })

    it('has modules whose source can be inspected and listed', async () => {
      const source = `
      import inspect, pkgutil, shop
      channel.send([inspect.getsource(shop.prices.price_of), sorted(tuple(m)[1:] for m in pkgutil.iter_modules(shop.__path__, 'shop.'))])
    `
      const [text, modules] = (await run(source)) as [string, unknown]
      expect(text).toBe('def price_of(name):\n    return TABLE[name]\n')
      expect(JSON.parse(JSON.stringify(modules))).toEqual([
        ['shop.__main__', false],
        ['shop.late', false],
        ['shop.latin', false],
        ['shop.prices', false],
        ['shop.util', true],
      ])
    })

    it('runs a package as a program, and does not when it is imported', async () => {
      const source = `
      import runpy
      ran = runpy.run_module('shop', run_name='__main__', alter_sys=True)
      import shop.__main__
      channel.send([ran['RESULT'], shop.__main__.RESULT])
    `
      expect(await run(source)).toEqual([0.5, 'imported'])
    })

    it('gives package data by pkgutil.get_data', async () => {
      const source = `
      import pkgutil
      channel.send([pkgutil.get_data('shop', name).decode('ascii') for name in ('data/hello.txt', 'readme.txt')])
    `
      expect(await run(source)).toEqual(['hello from data\n', 'top\n'])
      const error = await remoteErrorOf(run("import pkgutil\npkgutil.get_data('shop', 'data/../../colorsys.py')"))
      expect(error.message).toMatch(/no such file in what is provided/)
    })

    it.skipIf(isPython2 || version < 7)('gives package data by importlib.resources', async () => {
      const source = `
      import sys
      from importlib import resources
      found = []
      if sys.version_info >= (3, 9):
          root = resources.files('shop')
          found += [(root / 'data' / 'hello.txt').read_text(), sorted(r.name for r in root.iterdir()), root.joinpath('data').is_dir()]
          with resources.as_file(root / 'readme.txt') as path: found.append(path.read_text())
      found += [resources.read_text('shop', 'readme.txt'), resources.is_resource('shop', 'readme.txt')]
      channel.send(found)
    `
      const found = await run(source)
      expect(found).toEqual([
        ...(version >= 9
          ? [
              'hello from data\n',
              ['__init__.py', '__main__.py', 'data', 'late.py', 'latin.py', 'prices.py', 'readme.txt', 'util'],
              true,
              'top\n',
            ]
          : []),
        'top\n',
        true,
      ])
    })

    it('has circular imports as Python has them', async () => {
      expect(
        await run('import rings.alpha, rings.beta\nchannel.send([rings.alpha.other(), rings.beta.other()])'),
      ).toEqual(['beta', 'alpha'])
    })

    it('leaves the standard library as it is, and says so', async () => {
      const lines: string[] = []
      await using other = await group.makeGateway(`popen//python=${command}//chdir=${elsewhere}`, {
        onOutput: ({ text }) => void lines.push(text),
      })
      other.provide({ roots: [pylib] })
      expect(await other.remoteExec('import colorsys\nchannel.send(hasattr(colorsys, "MINE"))').receive()).toBe(false)
      await other.terminate()
      expect(lines.join('')).toContain(
        `colorsys of ${pylib} is not used: the standard library of this Python has a module of that name`,
      )
    })

    it('raises the SyntaxError of a provided module, with its place', async () => {
      const error = await remoteErrorOf(run('import bad_syntax'))
      expect([error.type, error.traceback]).toEqual([
        'SyntaxError',
        expect.stringContaining(`File "${pylib}/bad_syntax.py", line 4`),
      ])
    })

    it('fails as Python does for a module that deletes itself, and goes on', async () => {
      const failing = await remoteErrorOf(run('import deletes_itself'))
      expect(['KeyError', 'ImportError']).toContain(failing.type)
      expect(await run('import shop\nchannel.send(shop.NAME)')).toBe('shop')
    })

    it.skipIf(isPython2)('says which roots were searched for a module that nobody has', async () => {
      const error = await remoteErrorOf(run('import nowhere'))
      if (version >= 8 && !name.startsWith('PyPy'))
        expect(error.frames.at(-1)).toMatchObject({ line: 1, text: 'import nowhere' })
      expect(error.type).toBe('ModuleNotFoundError')
      expect(error.message).toBe(
        `ModuleNotFoundError: No module named 'nowhere': not on this machine, and not in what is provided: ${pylib}, ${pylib2}`,
      )
      expect(await run("import importlib.util\nchannel.send(importlib.util.find_spec('nowhere'))")).toBeNull()
      expect((await remoteErrorOf(run('from shop import nothing'))).type).toBe('ImportError')
    })
  },
)
