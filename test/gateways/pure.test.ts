// A function of a file runs without the rest of it where it needs nothing of that, as execnet's pure functions do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, RemoteError } from '../../src/index.js'
import { errorOf, remoteErrorOf } from '../failing.js'
import { chosenInterpreters } from '../interpreters.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-pure-'))
const file = join(folder, 'job.py')
afterAll(() => rmSync(folder, { recursive: true }))

const source = `from __future__ import division
import nothing_of_the_kind as np
open = None
def alone(channel, n, limit=10, key=lambda np: np):
    import os
    class Local(object):
        one = 1
        two = one + 1
        def np(self):
            return self.np
    def inner(path):
        np = path
        return [each for each in [np]]
    channel.send([n / 2, inner(3), Local.two, key(limit), os.sep, alone.__name__, __name__])
def fails(channel):
    raise ValueError('here')
def uses(channel): np.array
def defaults(channel, kind=np): pass
@np.decorator
def decorated(channel): pass
def inside(channel):
    def deeper(): return np
def shadowed(channel): open('x')
def assigns(channel):
    global state
    state = 1
def twice(channel): pass
def twice(channel): pass
if True:
    def nested(channel): pass
`

describe.each(chosenInterpreters())('a function of a file on $name', ({ name, command }) => {
  const group = new Group()
  let gateway: Gateway
  const call = (text: string, functionName: string, kwargs = {}) => {
    writeFileSync(file, text)
    return gateway.remoteExec({ file, function: functionName }, kwargs)
  }
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })
  afterAll(() => group.terminate())

  it('runs alone where it uses builtins and names of its own only', async () => {
    expect(await call(source, 'alone', { n: 3 }).receive()).toEqual([1.5, [3], 2, 10, '/', 'alone', '__channelexec__'])
  })

  it('keeps its lines', async () => {
    const error = await remoteErrorOf(call(source, 'fails').receive())
    expect(error.traceback).toContain(`File "${file}", line 16, in fails`)
  })

  it.each([
    ['uses', 'uses uses np'],
    ['defaults', 'defaults uses np'],
    ['decorated', 'decorated uses np'],
    ['inside', 'inside uses np'],
    ['shadowed', 'shadowed uses open'],
    ['assigns', 'assigns uses state'],
    ['twice', '"twice" is not defined once'],
    ['nested', '"nested" is not defined once'],
  ])('has the whole file run where it uses something of that: %s', async (functionName, reason) => {
    const error = await errorOf(call(source, functionName).receive())
    expect(error).toBeInstanceOf(RemoteError)
    expect(error).toHaveProperty(
      'message',
      expect.stringContaining(`(line 2 of ${file}, all of which is run, as ${reason}`),
    )
  })

  it.each([
    [
      'in a class, which then sets it for itself',
      'limit = 5\ndef f(channel):\n    class Own(object):\n        limit = limit\n    channel.send(Own.limit)\n',
      5,
    ],
    [
      'of a module of which all is imported',
      'from math import *\ndef f(channel): channel.send(repr(pow(2, 3)))\n',
      '8.0',
    ],
    [
      'that a function sets',
      'def hide():\n    global len\n    len = lambda text: 42\nhide()\ndef f(channel): channel.send(len(""))\n',
      42,
    ],
    [
      'that a class sets',
      'class Hides(object):\n    global len\n    len = lambda text: 42\ndef f(channel): channel.send(len(""))\n',
      42,
    ],
    [
      'that is its own, and set again',
      'def f(channel): pass\ndef change():\n    global f\n    def f(channel): channel.send(2)\nchange()\n',
      2,
    ],
  ])('has the whole file run where it uses a name %s', async (_, text, result) => {
    expect(await call(text, 'f').receive()).toBe(result)
  })

  it('names the functions that there are where there is none of that name', async () => {
    const text = 'def one(channel): pass\ndef two(channel): pass\nthree = 3\n'
    const sources = [
      { file, function: 'tow' },
      { text, name: 'job', function: 'tow' },
    ]
    writeFileSync(file, text)
    for (const source of sources)
      expect(await errorOf(gateway.remoteExec(source).receive())).toMatchObject({
        type: 'NameError',
        message: `NameError: there is no function tow in ${source.name ?? file}; it has one, two`,
      })
    const raises = 'def f(channel): {}["f"]\n'
    expect(await errorOf(call(raises, 'f').receive())).toMatchObject({ type: 'KeyError', message: "KeyError: 'f'" })
  })

  it.skipIf(/2\.7/.test(name))('has it run for an annotation, also one that is text', async () => {
    const text =
      'import nothing_of_the_kind as np\ndef annotated(channel, kind: np.array): pass\nasync def waits(channel):\n    channel.send(1)\n'
    expect(await errorOf(call(text, 'annotated').receive())).toHaveProperty(
      'message',
      expect.stringContaining('annotated uses np'),
    )
    const later = `from __future__ import annotations\n${text}`
    if (!name.includes('3.6'))
      expect(await errorOf(call(later, 'annotated').receive())).toHaveProperty(
        'message',
        expect.stringContaining('annotated uses np'),
      )
    expect(await call(text, 'waits').receive()).toBe(1)
  })

  it('has the rest of its file where it needs it', async () => {
    const text =
      'import os\nfactor = 3\ndef helper(x): return x * factor\ndef f(channel, x): channel.send([helper(x), __file__ == os.path.abspath(__file__)])\n'
    expect(await call(text, 'f', { x: 5 }).receive()).toEqual([15, true])
  })
})
