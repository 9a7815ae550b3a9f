// What remote code may be given as, and what its kwargs may be called; whatever is refused is refused before anything is sent.
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, type Source } from '../../src/index.js'
import { tendril } from '../cli/command.js'
import { anyInterpreter } from '../interpreters.js'

const popen = `popen//python=${anyInterpreter().command}`
const group = new Group()
let gateway: Gateway
beforeAll(async () => {
  gateway = await group.makeGateway(popen)
})
afterAll(() => group.terminate())

/** Every way to run a source as a task. */
const runs: readonly ((source: Source, kwargs?: Record<string, unknown>) => unknown)[] = [
  (source, kwargs) => gateway.remoteExec(source, kwargs),
  (source, kwargs) => gateway.remoteExec(source, kwargs, { timeout: 60_000 }),
  (source, kwargs) => gateway.with({ timeout: 60_000 }).remoteExec(source, kwargs),
  (source, kwargs) => group.remoteExec(source, kwargs),
]

describe('remoteExec', () => {
  it.each<[unknown, string]>([
    [() => 1, 'not a value of type function. Functions of this side can be among the kwargs'],
    [undefined, 'not a value of type undefined'],
    [null, 'not null'],
    [5, 'not a value of type number'],
    [{}, 'not such an object'],
    [['pass'], 'not such an object'],
    [new Uint8Array(4), 'not such an object'],
    [{ function: 'f' }, 'not such an object'],
    [{ text: 5 }, 'not such an object'],
    [{ text: new URL('file:///x') }, 'not such an object'],
    [{ file: new Uint8Array(4) }, 'not such an object'],
    [{ file: undefined }, 'not such an object'],
    [{ text: 'pass', function: () => 1 }, 'not such an object'],
    [Promise.resolve('pass'), 'not such an object'],
  ])('says what it takes instead of %o', async (source, message) => {
    const error = expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(message) })
    for (const run of runs) expect(() => run(source as Source)).toThrow(error)
    expect(() => runs[0]?.(source as Source)).toThrow(
      /^remote code is the text of Python code, a URL, \{ file \} or \{ text \}/,
    )
  })

  it.each<[string, string]>([
    ['no/such/file.py', 'ENOENT'],
    [fileURLToPath(new URL('none.py', import.meta.url)), 'ENOENT'],
    [fileURLToPath(new URL('.', import.meta.url)), 'EISDIR'],
    [fileURLToPath(new URL('source.test.ts/x.py', import.meta.url)), 'ENOTDIR'],
  ])('says that %s cannot be read', (path, reason) => {
    const place = path.startsWith('no/') ? `from the working directory, ${process.cwd()}` : reason
    const error = expect.objectContaining({ name: 'SourceError', code: 'ERR_SOURCE', path, reason })
    const sources: Source[] = [{ file: path }, { file: path, function: 'f' }]
    if (place === reason) sources.push(pathToFileURL(path), { file: pathToFileURL(path) })
    for (const source of sources)
      for (const run of runs) {
        expect(() => run(source)).toThrow(error)
        expect(() => run(source)).toThrow(`cannot read ${JSON.stringify(path)}, a file of remote code: ${reason}`)
        expect(() => run(source)).toThrow(place)
      }
  })

  it.each(['channel', 'a-b', '1a', '', 'a b', 'a.b', 'a=b', '$', 'ﬁ', 'a\n'])('has no kwarg called %j', (name) => {
    const sources: Source[] = ['pass', { text: 'def f(channel, **kwargs): pass', function: 'f' }]
    for (const run of runs)
      for (const source of sources) expect(() => run(source, { [name]: 1 })).toThrow(/no kwarg can be called/)
  })

  it.each([new Map([['a', 1]]), ['a'], null, 'a', 5])('has no kwargs in %o', (kwargs) => {
    for (const run of runs) expect(() => run('pass', kwargs as never)).toThrow(/in a plain object/)
  })

  it('has kwargs called as names in Python are', async () => {
    const names = ['a', '_', '_1', 'Größe', '变量', 'channels', 'function', 'class', '__proto__']
    const kwargs = Object.fromEntries(names.map((name, index) => [name, index]))
    const seen = await gateway
      .remoteExec('channel.send([globals()[name] for name in names])', { ...kwargs, names })
      .receive()
    expect(seen).toEqual(names.map((_, index) => index))
    expect(await gateway.remoteExec('channel.send(a)', Object.assign(Object.create(null), { a: 1 })).receive()).toBe(1)
  })

  it('has no --kwarg called channel either', () => {
    const { status, stderr } = tendril(['exec', 'examples/greet.py', '--kwarg', 'channel=1'])
    expect([status, stderr]).toEqual([
      2,
      'tendril: no --kwarg can be called channel: that is the channel of the file\n',
    ])
  })
})
