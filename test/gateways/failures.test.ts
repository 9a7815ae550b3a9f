// Exceptions that do what they can against being described: wherever one is raised, its caller gets it with its type and its module, and the worker goes on.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, RemoteError, type RemoteIterator } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { errorOf } from '../failing.js'

const file = fileURLToPath(new URL('../fixtures/hostile_errors.py', import.meta.url))
const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

type Raise = (gateway: Gateway, name: string) => Promise<unknown>
const ways: readonly (readonly [string, Raise])[] = [
  ['a task', (on, name) => on.remoteExec('import __main__; __main__.raise_one(name)', { name }).waitClose()],
  [
    'a task beside another',
    async (on, name) => {
      await using waiting = on.remoteExec('channel.receive()')
      await on.remoteExec('import __main__; __main__.raise_one(name)', { name }).waitClose()
      await waiting.close()
    },
  ],
  ['a call', (on, name) => on.call('raise_one', [name])],
  ['a chain of operations', (on, name) => on.modules['__main__'].raise_one(name)],
  [
    'a service',
    async (on, name) => {
      await using service = await on.service<{ raise_one(name: string): void }>(file, { expose: ['raise_one'] })
      await service.raise_one(name)
    },
  ],
  [
    'an iterator',
    async (on, name) => {
      for await (const _ of await on.eval<RemoteIterator>('(raise_one(name) for _ in [1])', { name })) break
    },
  ],
  [
    'a callback of a channel',
    async (on, name) => {
      const channel = on.remoteExec('import __main__; __main__.give(channel, name)', { name })
      await channel.send(1)
      await channel.waitClose()
    },
  ],
]

const awaited: Raise = (on, name) => on.call('raise_later', [name])

describe.each(pythons)('$name', ({ name: python, command }) => {
  const isOld = python === 'CPython 2.7'

  let gateway: Gateway
  let names: readonly string[]
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute(readFileSync(file, 'utf8'))
    if (!isOld) await gateway.execute('async def raise_later(name):\n    errors[name]()')
    names = (await gateway.eval<string[]>('list(errors)')).sort()
  })

  it.each([...ways, ...(isOld ? [] : [['a coroutine', awaited] as const])])(
    'tells type and module of what is raised in %s',
    async (_, raise) => {
      const told: Record<string, unknown> = {}
      for (const name of names) {
        const error: unknown = await errorOf(raise(gateway, name))
        told[name] = error instanceof RemoteError ? `${error.module}.${error.type}` : error
      }
      expect(told).toEqual(Object.fromEntries(names.map((name) => [name, 'hostile.Hostile'])))
    },
  )

  it('tells of a long way down its beginning and its end, and all else', async () => {
    const source = 'import sys\nsys.setrecursionlimit(9000)\ndef down(n):\n    return down(n - 1) if n else 1 // 0'
    await gateway.execute(source)
    const error = await errorOf(gateway.eval('down(3000)'))
    await gateway.execute('sys.setrecursionlimit(1000)')
    expect(error).toMatchObject({ type: 'ZeroDivisionError', module: isOld ? 'exceptions' : 'builtins' })
    const { frames } = error as RemoteError
    expect(frames).toHaveLength(1500)
    expect([frames[0]?.name, frames[1]?.name, frames.at(-1)?.name]).toEqual(['<module>', 'down', 'down'])
  })

  it('tells what a failure is whose causes are long, if not all of them', async () => {
    const source =
      'def fail(cause=None):\n    try:\n        if cause: fail()\n    finally:\n        raise ValueError(b"x" * 15000000)'
    await gateway.execute(source)
    const type = { type: 'ValueError', module: isOld ? 'exceptions' : 'builtins' }
    expect(await errorOf(gateway.execute('fail(1)'))).toMatchObject(type)
    expect(await errorOf(gateway.remoteExec('import __main__; __main__.fail(1)').waitClose())).toMatchObject(type)
  })

  it('goes on after a value, an item or a generator that cannot be sent or closed without an exception of the user’s', async () => {
    for (const source of ['Argument()', '[Argument()]', '(Argument() for _ in [1])']) {
      const use = async (): Promise<void> => {
        const value = await gateway.eval<RemoteIterator | undefined>(source)
        if (value !== undefined) await value.next()
      }
      await expect(use()).rejects.toThrow(isOld ? /no wire type/ : /SystemExit/)
    }
    for (const name of names) {
      const items = await gateway.eval<RemoteIterator>('Closed(name)', { name })
      await items.next()
      await items.return()
    }
    expect(await gateway.eval('1')).toBe(1)
  })
})
