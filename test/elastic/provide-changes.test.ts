// What is provided ahead, and again; and what is refused.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, Group, type ProvideError } from '../../src/index.js'
import { remoteErrorOf } from '../failing.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { noInterpreter, titled } from '../testbeds/needs.js'

const python = anyInterpreter().command
const group = new Group()
const folder = mkdtempSync(join(tmpdir(), 'tendril-provide-'))
let gateway: Gateway
let made = 0
let root = ''

/** Makes a root with these files. */
function makeRoot(files: Readonly<Record<string, string>>): string {
  const path = join(folder, `root${made++}`)
  write(path, files)
  return path
}

function write(path: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
}

const run = (source: string): Promise<unknown> => gateway.remoteExec(source).receive()
const asked = 'from _tendril.shelf import shelf\nchannel.send(shelf.asked)'

/** What `provide` throws. */
function refusalOf(options: Parameters<Gateway['provide']>[0]): ProvideError {
  try {
    gateway.provide(options)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_PROVIDE' })
    return error as ProvideError // checked by its code
  }
  throw new Error('was not refused')
}

beforeEach(async () => {
  mkdirSync(join(folder, 'elsewhere'), { recursive: true })
  gateway = await group.makeGateway(`popen//python=${python}//chdir=${join(folder, 'elsewhere')}`)
})
afterEach(() => gateway.terminate())
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

describe('a package that is sent ahead', () => {
  it('is imported, with its data, without a question', async () => {
    const big = 'x'.repeat(100_000)
    root = makeRoot({ 'ahead/__init__.py': '', 'ahead/deep/one.py': 'X = 1', 'ahead/a.txt': 'a', 'ahead/big.txt': big })
    gateway.provide({ roots: [root], packages: ['ahead'] })
    const source = `import ahead.deep.one, pkgutil\nassert pkgutil.get_data('ahead', 'a.txt') == b'a'\n${asked}`
    expect(await run(source)).toBe(0)
    expect(await run(`import pkgutil\nassert len(pkgutil.get_data('ahead', 'big.txt')) == 100000\n${asked}`)).toBe(1)
  })

  it('is there for code that leaves together with the worker itself', async () => {
    root = makeRoot({ 'early/__init__.py': `DATA = ${JSON.stringify('e'.repeat(300_000))}` })
    const fresh = group.launchGateway(`popen//python=${python}`)
    fresh.provide({ roots: [root], packages: ['early'] })
    const source = 'import early, threading\nchannel.send([len(early.DATA), threading.current_thread().name])'
    expect(await fresh.remoteExec(source).receive()).toEqual([300_000, 'MainThread'])
    await fresh.terminate()
  })

  it('is a part of a package, or one module', async () => {
    root = makeRoot({ 'whole/__init__.py': '', 'whole/part/__init__.py': '', 'whole/other.py': '', 'single.py': '' })
    gateway.provide({ roots: [root], packages: ['whole.part', 'single'] })
    expect(
      await run('import whole.part, single\nfrom _tendril.shelf import shelf\nchannel.send(sorted(shelf.sources))'),
    ).toEqual(['single', 'whole', 'whole.part'])
  })

  it('is refused when there is none', () => {
    const { message } = refusalOf({ roots: [makeRoot({ 'a.py': '' })], packages: ['nopkg'] })
    expect(message).toMatch(/^no package or module nopkg in .*root\d+, /)
    expect(message).toContain(`, ${process.cwd()}; name its folder in roots`)
    expect(refusalOf({ packages: ['../evil'] }).message).toMatch(/"..\/evil" is no name of a package/)
  })
})

describe('a second provide', () => {
  it('sends what has changed, and nothing else; importers of it begin anew', async () => {
    root = makeRoot({
      'app/__init__.py': 'from .config import VALUE',
      'app/config.py': 'VALUE = 1',
      'app/still.py': 'import sys\ncount = getattr(sys, "still", 0) + 1\nsys.still = count',
    })
    gateway.provide({ roots: [root] })
    const source = `import app, app.still\nchannel.send([app.VALUE, app.still.count])`
    expect(await run(source)).toEqual([1, 1])
    write(root, { 'app/config.py': 'VALUE = 2' })
    expect(await run(source)).toEqual([1, 1])
    gateway.provide({ roots: [root] })
    expect(await run(`${source}\n${asked}`)).toEqual([2, 2])
    expect(await run(asked)).toBe(2)
  })

  it('keeps modules that have not changed', async () => {
    root = makeRoot({ 'one.py': 'X = object()', 'two.py': 'Y = 1' })
    gateway.provide({ roots: [root] })
    await run('import one, two, sys\nsys.kept = one.X\nchannel.send(1)')
    write(root, { 'two.py': 'Y = 2' })
    gateway.provide({})
    expect(await run('import one, two, sys\nchannel.send([sys.kept is one.X, two.Y])')).toEqual([true, 2])
  })

  // What a folder held that had changed long ago is not read again until it changes.
  it.each([0, 1e9])(
    'knows of files that are new, and of those that are gone, %i s after the change before',
    async (age) => {
      root = makeRoot({ 'grows/__init__.py': '', 'grows/old.py': '' })
      const before = Date.now() / 1000 - age
      utimesSync(root, before, before)
      gateway.provide({ roots: [root] })
      await run('import grows.old\nchannel.send(1)')
      write(root, { 'grows/new.py': 'X = 1', 'added.py': 'X = 2' })
      rmSync(join(root, 'grows/old.py'))
      gateway.provide({})
      expect(await run('import grows.new, added\nchannel.send([grows.new.X, added.X])')).toEqual([1, 2])
      expect((await remoteErrorOf(run('import grows.old'))).type).toBe('ModuleNotFoundError')
    },
  )

  it('does not disturb imports that are under way', async () => {
    const modules = Array.from({ length: 20 }, (_, n) => `busy.m${n}`)
    root = makeRoot({
      'busy/__init__.py': '',
      ...Object.fromEntries(modules.map((name) => [`${name.replace('.', '/')}.py`, 'from busy.config import VALUE'])),
      'busy/main.py': `${modules.map((name) => `import ${name}`).join('\n')}\nfrom busy.config import VALUE`,
    })
    const answers: Promise<unknown>[] = []
    for (let value = 0; value < 20; value++) {
      write(root, { 'busy/config.py': `VALUE = ${value}` })
      gateway.provide({ roots: [root] })
      answers.push(run('import busy.main\nchannel.send(busy.main.VALUE)'))
      if (value % 5 === 4) await answers.at(-1)
    }
    const values = (await Promise.all(answers)) as number[]
    expect(values.at(-1)).toBe(19)
    expect(values.filter((value) => !Number.isInteger(value))).toEqual([])
  })

  it('adds roots behind the first', async () => {
    gateway.provide({ roots: [makeRoot({ 'both.py': 'X = 1' })] })
    gateway.provide({ roots: [makeRoot({ 'both.py': 'X = 2', 'late.py': 'X = 3' })] })
    expect(await run('import both, late\nchannel.send([both.X, late.X])')).toEqual([1, 3])
  })
})

describe('refusals', () => {
  it('name a root that is none', () => {
    expect(refusalOf({ roots: [join(folder, 'nowhere')] }).message).toMatch(
      /cannot provide .*nowhere: ENOENT.*roots takes folders/,
    )
  })

  it('name a C extension and what to do, and code that can do without it does', async () => {
    root = makeRoot({
      'mixed/__init__.py': 'try:\n    from . import _fast\nexcept ImportError as e:\n    WHY = str(e)',
      'mixed/_fast.cpython-311-x86_64-linux-gnu.so': '',
      'mixed/both.so': '',
      'mixed/both.py': 'X = 1',
      'alone.pyd': '',
    })
    gateway.provide({ roots: [root] })
    expect(await run('import mixed.both\nchannel.send(mixed.WHY)')).toBe(
      `mixed._fast is provided, but cannot be sent: ${root}/mixed/_fast.cpython-311-x86_64-linux-gnu.so is a C extension, which runs on one kind of machine only; install it on the other side`,
    )
    expect((await remoteErrorOf(run('import alone'))).message).toMatch(/alone.pyd is a C extension/)
  })

  it('name a link that leads out of its root, and where to', async () => {
    const outside = makeRoot({ 'secret.py': 'X = 1', 'pkg/__init__.py': 'X = 1' })
    root = makeRoot({ 'inner/__init__.py': '', 'inner/real.py': 'X = 1' })
    symlinkSync(join(outside, 'secret.py'), join(root, 'inner/secret.py'))
    symlinkSync(join(outside, 'secret.py'), join(root, 'inner/secret.txt'))
    symlinkSync(join(outside, 'pkg'), join(root, 'linked'))
    symlinkSync('real.py', join(root, 'inner/alias.py'))
    symlinkSync('..', join(root, 'inner/loop'))
    gateway.provide({ roots: [root] })
    expect((await remoteErrorOf(run('import inner.secret'))).message).toContain(
      `inner/secret.py: it leads out of ${root}, to ${outside}/secret.py`,
    )
    expect((await remoteErrorOf(run('import linked'))).message).toContain(
      `linked: it leads out of ${root}, to ${outside}/pkg`,
    )
    expect((await remoteErrorOf(run("import pkgutil\npkgutil.get_data('inner', 'secret.txt')"))).message).toContain(
      'leads out of',
    )
    expect(await run('import inner.alias\nchannel.send(inner.alias.X)')).toBe(1)
  })

  it('hold when a file becomes a link out after it was looked at', async () => {
    const outside = makeRoot({ 'secret.py': 'X = 1' })
    root = makeRoot({ 'turns/__init__.py': '', 'turns/later.py': 'X = 0' })
    gateway.provide({ roots: [root] })
    await run('import turns\nchannel.send(1)')
    rmSync(join(root, 'turns/later.py'))
    symlinkSync(join(outside, 'secret.py'), join(root, 'turns/later.py'))
    expect((await remoteErrorOf(run('import turns.later'))).message).toContain('it leads out of')
  })

  it('answer nothing to a worker that asks for what lies elsewhere', async () => {
    root = makeRoot({ 'fine.py': '' })
    gateway.provide({ roots: [root] })
    const source = `
      import fine
      from _tendril.shelf import shelf
      shelf.ask(modules=['../../etc/passwd', 'os', 'fine.nothing', '', 'fine.' * 20000 + 'x'])
      found = []
      for path in ('/etc/passwd', '../fine.py', '${root}/../x', '${root}/fine.py'):
          try: found.append(len(shelf.data('fine', path)))
          except IOError as e: found.append(str(e))
      for junk in (None, 7, {'id': 'x'}, {'id': 1, 'modules': 'fine'}): shelf.channel.send(junk)
      channel.send([sorted(shelf.sources), found])
    `
    const [sources, found] = (await run(source)) as [string[], unknown[]]
    expect(sources).toEqual(['fine'])
    expect(found.map((one) => (typeof one === 'string' ? /no such file in what is provided/.test(one) : one))).toEqual([
      true,
      true,
      true,
      0,
    ])
  })

  it('name a file that vanished after it was looked at', async () => {
    root = makeRoot({ 'fades/__init__.py': '', 'fades/away.py': '', 'fades/stays.py': 'import fades.away' })
    gateway.provide({ roots: [root] })
    await run('import fades\nchannel.send(1)')
    rmSync(join(root, 'fades/away.py'))
    const error = await remoteErrorOf(run('import fades.stays'))
    expect(error.message).toMatch(/fades\.away is provided, but could not be sent: .*away\.py: it is gone/)
    write(root, { 'fades/away.py': '' })
    expect(await run('import fades.stays\nchannel.send(2)')).toBe(2)
  })
})

describe('what is installed on the other side', () => {
  it('gives way to what is provided, but not where it was imported before', async () => {
    const installed = makeRoot({
      'dual/__init__.py': 'X = "installed"',
      'dual/sub.py': 'X = "installed"',
      'first/__init__.py': '',
      'first/sub.py': 'X = "installed"',
    })
    root = makeRoot({ 'dual/__init__.py': 'X = "provided"', 'first/__init__.py': '', 'first/extra.py': '' })
    await run(`import sys\nsys.path.insert(0, ${JSON.stringify(installed)})\nimport first\nchannel.send(1)`)
    gateway.provide({ roots: [root] })
    expect(await run('import dual\nchannel.send(dual.X)')).toBe('provided')
    expect((await remoteErrorOf(run('import dual.sub'))).type).toBe('ModuleNotFoundError')
    expect(await run('import first.sub\nchannel.send(first.sub.X)')).toBe('installed')
    expect((await remoteErrorOf(run('import first.extra'))).type).toBe('ModuleNotFoundError')
  })

  it('makes one namespace package with what is provided', async () => {
    const installed = makeRoot({ 'space/there.py': 'X = 1' })
    gateway.provide({ roots: [makeRoot({ 'space/here.py': 'X = 2' })] })
    expect(
      await run(
        `import sys\nsys.path.insert(0, ${JSON.stringify(installed)})\nimport space.there, space.here\nchannel.send([space.there.X, space.here.X])`,
      ),
    ).toEqual([1, 2])
  })
})

const noPython2 = noInterpreter('CPython 2.7')
it.skipIf(noPython2)(titled('sends changes to Python 2.7 too', noPython2), async () => {
  await using old = await group.makeGateway(`popen//python=${findInterpreter('CPython 2.7')?.command}`)
  root = makeRoot({ 'app2/__init__.py': 'X = 1', 'app2/data.bin': '\xff' })
  old.provide({ roots: [root], packages: ['app2'] })
  expect(await old.remoteExec('import app2\nchannel.send(app2.X)').receive()).toBe(1)
  write(root, { 'app2/__init__.py': 'X = 2' })
  old.provide({})
  expect(await old.remoteExec('import app2\nchannel.send(app2.X)').receive()).toBe(2)
})
