// Python as text and as templates: values, namespaces, tracebacks, threads.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { remoteErrorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { until } from '../waiting.js'
import { pythons, pythons3 } from './pythons.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const group = new Group()
afterAll(() => group.terminate())

/** The number of the line of this file that holds a text. */
function lineOf(text: string): number {
  const lines = readFileSync(import.meta.filename, 'utf8').split('\n')
  return lines.findIndex((line) => line.includes(text) && !line.includes('lineOf')) + 1
}

describe.each(pythons)('$name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it('runs first what is given names in a namespace that C code can import in, as that of a script', async () => {
    const days = [gateway.eval('import datetime; datetime.datetime.strptime(day, "%Y").month', { day: '2026' })]
    days.push(gateway.py`__import__("datetime").datetime.strptime(${'2026'}, "%Y").month`)
    expect(await Promise.all(days)).toEqual([1, 1])
    const script =
      'import sys; print(sorted((name, repr(value)) for name, value in vars(sys.modules["__main__"]).items() if name != "sys"))'
    await using fresh = await group.makeGateway(`popen//python=${command}`)
    expect(
      await fresh.eval(`text = repr(sorted((n, repr(v)) for n, v in globals().items() if n != 'controller'))\ntext`),
    ).toBe(spawnSync(command, ['-c', script], { encoding: 'utf8' }).stdout.trim())
  })

  it('shows the lines of each source, whatever others without a name run beside it or came later', async () => {
    const tasks = ['one', 'two', 'three'].map((name, at) =>
      gateway.remoteExec(
        `${'\n'.repeat(at)}def ${name}():\n  channel.receive() # ${name}\n  raise ValueError\n${name}()`,
      ),
    )
    await gateway.execute('\n\ndef f():\n  raise ValueError # of f')
    const text = '\n\n\ndef g():\n  raise ValueError # of g'
    await using service = await gateway.service<{ g(): void }>({ text }, { expose: ['g'] })
    const waiting = async () => (await gateway.stacks()).flatMap(({ frames }) => frames.map((frame) => frame.text))
    await expect
      .poll(waiting)
      .toEqual(expect.arrayContaining(['one', 'two', 'three'].map((name) => `channel.receive() # ${name}`)))
    for (const [at, task] of tasks.entries()) {
      await task.send(0)
      const { frames, traceback } = await remoteErrorOf(task.waitClose())
      expect(frames.map((frame) => frame.text)).toEqual([`${['one', 'two', 'three'][at]}()`, 'raise ValueError'])
      expect(traceback).toContain(`    ${['one', 'two', 'three'][at]}()\n`)
      expect(frames[0]?.file).toBe('<remote exec>')
    }
    expect((await remoteErrorOf(gateway.call('f'))).frames.at(-1)?.text).toBe('raise ValueError # of f')
    expect((await remoteErrorOf(service.g())).frames.at(-1)?.text).toBe('raise ValueError # of g')
    await gateway
      .remoteExec('1 / 0 # later')
      .waitClose()
      .catch(() => undefined)
    const [, , held] = await Promise.all([
      gateway.execute('x = 1\n\n\ny = 2'),
      gateway.remoteExec('pass\npass').waitClose(),
      gateway.postMortem(),
    ])
    expect(held?.frames[0]?.text).toBe('1 / 0 # later')
  })

  it('forgets the lines of texts that came long ago', async () => {
    const size = 'from _tendril import worker; len(worker.texts)'
    for (let n = 0; n < 1100; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, at) => gateway.eval(`${n} + ${at}`)))
    const before = await gateway.eval(size)
    await Promise.all(
      Array.from({ length: 300 }, (_, at) => (at % 2 === 0 ? gateway.execute(`x = ${at}`) : gateway.eval(`-${at}`))),
    )
    expect(await gateway.eval(size)).toBe(before)
  })

  it('has one __main__ for tasks and calls, where what is defined can be pickled', async () => {
    await using fresh = await group.makeGateway(`popen//python=${command}`)
    await fresh.remoteExec('import __main__; __main__.kept = 1').waitClose()
    expect(await fresh.eval('kept')).toBe(1)
    await fresh.eval('class Point(object): x = given', { given: 3 })
    expect(await fresh.eval('import pickle; pickle.loads(pickle.dumps(Point())).x')).toBe(3)
  })

  it('evaluates an expression with names', async () => {
    expect(await gateway.eval('', { a: 1 })).toBe(null)
    expect(await gateway.eval('a + b', { a: 1, b: 2 })).toBe(3)
    expect(await gateway.eval('a + b', { b: 'x', a: 'y' })).toBe('yx')
    expect(await gateway.eval('1 + 1')).toBe(2)
    expect(await gateway.eval('1 + 1', null)).toBe(2)
  })

  it('gives the value of the last of several statements, as a notebook does', async () => {
    expect(
      await gateway.eval(`
        total = 0
        for i in range(5):
            total += i
        total
      `),
    ).toBe(10)
    expect(await gateway.eval('unused = 1')).toBe(null)
    expect(await gateway.eval('')).toBe(null)
    expect(await gateway.eval('# nothing')).toBe(null)
  })

  it('keeps what is assigned, defined and imported, and not the names', async () => {
    await gateway.eval(
      'import os.path as p; from os import sep as s\nkept = given\ndef triple(n): return 3 * n\nclass K: v = given',
      {
        given: 7,
      },
    )
    expect(await gateway.eval('[kept, triple(kept), K.v, s == p.sep]')).toEqual([7, 21, 7, true])
    expect((await remoteErrorOf(gateway.eval('given'))).message).toBe("NameError: name 'given' is not defined")
    expect(await gateway.call('triple', [2])).toBe(6)
    expect(await gateway.get('kept')).toBe(7)
    expect(await gateway.eval('given = given + 1; given', { given: 1 })).toBe(2)
    expect((await remoteErrorOf(gateway.eval('given'))).type).toBe('NameError')
  })

  it('keeps names that loops, with, except and del bind', async () => {
    await gateway.eval(
      `
      for loop in [1, x]: pass
      try: raise ValueError('v')
      except ValueError as e: message = str(e)
      import io
      with io.BytesIO(b'ab') as file: content = len(file.read())
      gone = 1
      del gone
    `,
      { x: 2 },
    )
    expect(await gateway.eval('[loop, message, content]')).toEqual([2, 'v', 2])
    expect((await remoteErrorOf(gateway.eval('gone'))).type).toBe('NameError')
  })

  it('lets nested scopes see the values', async () => {
    const [n, rows] = [3, [1, 2, 3, 4]]
    expect(await gateway.py`[row * ${n} for row in ${rows} if row < ${n}]`).toEqual([3, 6])
    expect(await gateway.py`(lambda: (lambda: ${n})())()`).toBe(3)
    expect(await gateway.py`list(map(lambda row: [row for _ in range(${n})], ${[1]}))`).toEqual([[1, 1, 1]])
    await gateway.py`
      def closed():
          return ${n} * 2
    `
    expect(await gateway.call('closed')).toBe(6)
  })

  it('never takes a value for text', async () => {
    const evil = "'; import os; os._exit(1) #"
    expect(await gateway.py`${evil}`).toBe(evil)
    expect(await gateway.py`len(${evil})`).toBe(evil.length)
    const key = 'x=__import__("os")._exit(1)'
    expect((await remoteErrorOf(gateway.eval('1', { [key]: 1 }))).message).toContain('no Python name')
  })

  it('says so when a value stands in a string, a comment or a name', async () => {
    const misplaced = [gateway.py`"hello ${1}"`, gateway.py`1 # ${2}`, gateway.py`abc${3}`]
    for (const call of misplaced)
      expect((await remoteErrorOf(call)).message).toContain('ValueError: value 0 of the template')
  })

  it('leaves escapes to Python', async () => {
    expect(await gateway.py`"a\nb\\" + '\x41'`).toBe('a\nb\\A')
    expect(await gateway.py`len("\`\${")`).toBe(3)
  })

  it('takes lines from right behind the backtick, in blocks and after them', async () => {
    expect(
      await gateway.py`total = 0
      for i in range(${3}):
          total += i
      total`,
    ).toBe(3)
    expect(
      await gateway.py`for i in range(${3}):
      x = i`,
    ).toBe(null)
    expect(
      await gateway.py`for i in range(${3}):
          x = i
      x`,
    ).toBe(2)
  })

  it('names the line of the template in tracebacks', async () => {
    const { frames, traceback, stack } = await remoteErrorOf(gateway.py`
      text = ${'x'}
      number = int(text)  # here it fails
    `)
    const line = lineOf('# here it fails')
    expect(frames).toEqual([
      { file: import.meta.filename, line, name: '<module>', text: 'number = int(text)  # here it fails' },
    ])
    expect(traceback).toContain(`File "${import.meta.filename}", line ${line}, in <module>`)
    expect(stack).toContain('number = int(text)')
  })

  it('names the line of what a template defined, and of one in one line', async () => {
    await gateway.py`
      def broken(n):
          return n / ${0}  # in the function
    `
    const { frames } = await remoteErrorOf(gateway.call('broken', [1]))
    expect(frames.map(({ file, line, name, text }) => [file, line, name, text])).toEqual([
      [import.meta.filename, lineOf('# in the function'), 'broken', 'return n / _value_0  # in the function'],
    ])
    const { frames: single } = await remoteErrorOf(gateway.py`{}["single line"]`)
    expect(single.at(-1)).toMatchObject({ file: import.meta.filename, line: lineOf('{}["single line"]') })
  })

  it('names the line of a syntax error', async () => {
    const error = await remoteErrorOf(gateway.py`
      ok = 1
      ok ok  # no Python
    `)
    expect(error.type).toBe('SyntaxError')
    expect(error.traceback).toContain(`File "${import.meta.filename}", line ${lineOf('# no Python')}`)
  })

  it('runs a call site with other values each time', async () => {
    const square = (n: number): Promise<number> => gateway.py<number>`${n} * ${n}`
    expect(await Promise.all(Array.from({ length: 100 }, (_, n) => square(n)))).toEqual(
      Array.from({ length: 100 }, (_, n) => n * n),
    )
  })

  it('keeps nothing of a call site that is gone', async () => {
    const here = (): Promise<number> => gateway.py<number>`40 + ${2}`
    expect(await here()).toBe(42)
    for (let n = 0; n < 100; n++) {
      const made = Object.assign([`${n} + `, ''], { raw: [`${n} + `, ''] })
      expect(await gateway.py(made, 1)).toBe(n + 1)
    }
    await until(async () => {
      collectGarbage()
      const count = 'len([name for name in __import__("_tendril").worker.sources if ".templates." in name])'
      return Number(await gateway.eval(count)) < 50
    })
    expect(await here()).toBe(42)
  })

  it('does not mix the values of two threads in one call site', async () => {
    const slow = (n: number): Promise<number> => gateway.py<number>`
      import time
      time.sleep(0.02)
      sum([${n} for _ in range(2)]) - ${n}
    `
    expect(await Promise.all(Array.from({ length: 12 }, (_, n) => slow(n)))).toEqual(
      Array.from({ length: 12 }, (_, n) => n),
    )
  })

  it('executes text and files in the namespace', async () => {
    await gateway.execute(`
      import sys
      def version():
          return sys.version_info[0]
    `)
    expect(await gateway.call('version')).toBe(name === 'CPython 2.7' ? 2 : 3)
    await gateway.execute(new URL('../fixtures/defines.py', import.meta.url))
    expect(await gateway.call('greeting', ['Anne'])).toBe('hello Anne')
    expect((await remoteErrorOf(gateway.call('greeting', [3]))).frames.at(-1)).toMatchObject({
      line: 5,
      name: 'greeting',
    })
  })

  it('gives what is executed by name a traceback with that name', async () => {
    const { frames } = await remoteErrorOf(gateway.execute({ text: 'x = 1\nraise ValueError(x)', name: 'setup.py' }))
    expect(frames).toEqual([{ file: 'setup.py', line: 2, name: '<module>', text: 'raise ValueError(x)' }])
  })

  it('shows the line of what was evaluated', async () => {
    const { frames } = await remoteErrorOf(gateway.eval('y = 1\ny / 0'))
    expect(frames).toMatchObject([{ line: 2, name: '<module>', text: 'y / 0' }])
  })
})

describe.each(pythons3)('$name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it('takes values into f-strings', async () => {
    expect(await gateway.py`f"hello {${'Anne'}}!"`).toBe('hello Anne!')
  })

  it('takes annotations beside values, and dataclasses', async () => {
    expect(
      await gateway.eval('total: int = a\nif a:\n    other: "int"\n    more: int = 2\ntotal + more', { a: 1 }),
    ).toBe(3)
    expect(await gateway.get('total')).toBe(1)
    const hints = `
      import typing
      class Row:
          n: "Number" = given
      class Number(int): pass
      typing.get_type_hints(Row)["n"] is Number
    `
    expect(await gateway.eval(hints, { given: 1 })).toBe(true)
  })

  it('awaits in what it executes, from Python 3.8 on', async () => {
    const done = gateway.execute('import asyncio\nawaited = await asyncio.sleep(0, 5)')
    if (name === 'CPython 3.6') return expect(done).rejects.toThrow(/SyntaxError/)
    await done
    expect(await gateway.get('awaited')).toBe(5)
  })

  it('has star imports in text without values', async () => {
    expect(await gateway.eval('from math import *\nfloor(1.5)')).toBe(1)
  })

  it('keeps functions of its own out of nonlocal trouble', async () => {
    expect(
      await gateway.py`
        async def later(): return ${5}
        def outer():
            count = ${1}
            def inner():
                nonlocal count
                count += 1
                return count
            return inner()
        outer()
      `,
    ).toBe(2)
  })
})

describe('what is no source', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${(pythons.at(-2) ?? anyInterpreter()).command}`)
  })

  it.each<[string, (on: Gateway) => Promise<unknown>, string]>([
    ['py called as a function', (on) => on.py('1 + 1' as never), 'py is the tag of a template'],
    ['a number evaluated', (on) => on.eval(1 as never), 'what is evaluated must be Python text, not a number'],
    ['an array of names', (on) => on.eval('1', [] as never), 'the names must be in a plain object'],
    [
      'nothing executed',
      (on) => on.execute(undefined as never),
      'what is executed must be Python text or a file, not an undefined',
    ],
    ['a function of a source', (on) => on.execute({ text: 'x', function: 'f' }), 'execute runs a whole source'],
    ['a file that is not there', (on) => on.execute({ file: '/nowhere.py' }), 'ENOENT'],
    ['an empty path', (on) => on.call(''), "a dotted name such as 'os.path.join' is needed, not an empty text"],
    ['no path', (on) => on.get(undefined as never), "a dotted name such as 'os.path.join' is needed, not an undefined"],
    ['arguments that are no array', (on) => on.call('len', 'abc' as never), 'the arguments of len must be in an array'],
    [
      'keyword arguments in a map',
      (on) => on.call('dict', [], new Map() as never),
      'the keyword arguments of dict must be in a plain object',
    ],
  ])('%s is refused', async (_, call, message) => {
    await expect(call(gateway)).rejects.toThrow(message)
    expect(await gateway.call('len', [[1]])).toBe(1)
  })

  it.each<[string, (on: Gateway) => Promise<unknown>, string]>([
    ['an unknown module', (on) => on.call('nosuch.f'), "ModuleNotFoundError: No module named 'nosuch'"],
    ['an unknown function', (on) => on.call('os.nosuch'), "AttributeError: module 'os' has no attribute 'nosuch'"],
    ['what is no dotted name', (on) => on.call('os..x'), "ValueError: 'os..x' is no dotted name"],
  ])('%s is an error of Python', async (_, call, message) => {
    expect((await remoteErrorOf(call(gateway))).message).toContain(message)
  })
})
