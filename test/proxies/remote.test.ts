// Objects of the worker: what can be done with them, and what awaiting gives.
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import {
  DumpError,
  Fraction,
  type Gateway,
  Group,
  kwargs,
  type OutputLine,
  type Remote,
  RemoteError,
  type RemoteObject,
  RemoteReferenceError,
} from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

interface Modules {
  collections: { deque: unknown }
  json: { dumps(value: unknown): string }
  len(value: unknown): number
  dict(): Record<string, unknown>
  operator: { add(one: number, other: number): number }
  os: { path: { join(...names: string[]): string }; environ: { nosuch?: number } }
  sys: { version_info: number[]; path: string[] }
  time: { sleep(seconds: number): null }
  xml: { etree: { ElementTree: { fromstring(text: string): { attrib: Record<string, string> } } } }
}

/** The modules that these tests use. */
function modulesOf(gateway: Gateway): Remote<Modules> {
  return gateway.modules as Remote<Modules>
}

const output: OutputLine[] = []
const group = new Group({ onOutput: (line) => output.push(line) })
afterAll(() => group.terminate())

describe.each(pythons)('$name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it('calls functions of modules, and gives their values', async () => {
    expect(await modulesOf(gateway).os.path.join('a', 'b')).toBe('a/b')
    expect(await modulesOf(gateway).sys.version_info[0]).toBe(name === 'CPython 2.7' ? 2 : 3)
    expect(await modulesOf(gateway).xml.etree.ElementTree.fromstring('<a b="1"/>').attrib.$item('b')).toBe('1')
    expect(await modulesOf(gateway).json.dumps({ b: 1, a: 2 }, kwargs({ sort_keys: true }))).toBe('{"a": 2, "b": 1}')
    expect(await modulesOf(gateway).len('four')).toBe(4)
  })

  it('makes objects that stay there', async () => {
    await using dict = await gateway.new('collections.OrderedDict', [[['a', 1]]])
    await dict.$setItem('b', 2)
    expect(await dict.$item('b')).toBe(2)
    expect([...((await dict.value()) as Map<string, number>)]).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    expect([await dict.$length(), await dict.$has('a'), await dict.$has('z')]).toEqual([2, true, false])
    await dict.$deleteItem('a')
    expect(await dict.$type()).toBe('collections.OrderedDict')
    expect(await dict.$repr()).toMatch(/^OrderedDict\(.*'b'.*2.*\)$/)
    expect(await dict.$str()).toBe(await dict.$repr())
    expect(await dict.$dir()).toContain('popitem')
    const keys: unknown[] = []
    for await (const key of dict) keys.push(key)
    expect(keys).toEqual(['b'])
  })

  it('reads, writes and deletes attributes', async () => {
    const object = await gateway.ref.eval<{ x: number; y: number }>('import argparse; argparse.Namespace(x=1, value=5)')
    await object.$set('y', 2)
    expect(await object.y).toBe(2)
    expect(await object.$attr('value')).toBe(5)
    const loose = object as unknown as Record<string, unknown>
    loose['z'] = [3]
    delete loose['x']
    expect(await object.$str()).toMatch(/Namespace\(value=5, y=2, z=\[3\]\)/)
    const list = await gateway.ref.eval<number[]>('[1, 2, 3]')
    ;(list as unknown as number[])[1] = 20
    expect(await list[1]).toBe(20)
    expect(await list[-1]).toBe(3)
  })

  it('knows operators', async () => {
    const later = gateway.new('datetime.date', [2020, 2, 1])
    const earlier = gateway.new('datetime.date', [2020, 1, 1])
    const difference = await later.$op('sub', earlier).ref()
    expect(await difference.days).toBe(31)
    expect(await earlier.$op('lt', later)).toBe(true)
    const six = await gateway.ref.eval<number>('6')
    const operations: [string, unknown[], unknown][] = [
      ['add', [1], 7],
      ['sub', [1], 5],
      ['mul', [7], 42],
      ['truediv', [4], 1.5],
      ['floordiv', [4], 1],
      ['mod', [4], 2],
      ['pow', [42], 6n ** 42n],
      ['neg', [], -6],
      ['and_', [3], 2],
      ['or_', [1], 7],
      ['xor', [3], 5],
      ['inv', [], -7],
      ['lshift', [2], 24],
      ['rshift', [1], 3],
      ['gt', [5], true],
      ['le', [5], false],
      ['eq', [6], true],
      ['ne', [6], false],
      ['not_', [], false],
      ['is_', [six], true],
    ]
    for (const [operator, operands, result] of operations)
      expect([operator, await six.$op(operator, ...operands)]).toEqual([operator, result])
    if (name !== 'CPython 2.7') await expect(six.$op('matmul', 1)).rejects.toThrow(/TypeError: unsupported operand/)
    await expect(six.$op('frobnicate').value()).rejects.toThrow(
      /AttributeError: Python \d.\d+ has no operator 'frobnicate'/,
    )
  })

  it('passes references as the very objects, however deep they lie', async () => {
    const list = await gateway.ref.eval<number[]>('[1]')
    expect(await gateway.call('len', [list])).toBe(1)
    await gateway.eval('holder["deep"][0].append(2)', { holder: { deep: [list] } })
    expect(await list.value()).toEqual([1, 2])
    const outer = await gateway.ref.call<number[][]>('list', [[list]])
    expect([await outer[0]?.$is(list), await list.$is(list), await list.$is([1, 2])]).toEqual([true, true, false])
    expect(await list.$equals([1, 2])).toBe(true)
    const channel = gateway.remoteExec('list.append(3); channel.send(len(list))', { list })
    list.dispose()
    expect(await channel.receive()).toBe(3)
  })

  it('enters and leaves context managers', async () => {
    await gateway.execute(`
      class Manager(object):
          log = []
          def __enter__(self): self.log.append('in'); return self
          def __exit__(self, kind, error, tb): self.log.append(str(error)); return kind is not None and error.name == 'RangeError'`)
    const manager = await gateway.new<{ log: string[] }>('Manager')
    expect(await manager.$with(async (entered: RemoteObject<{ log: string[] }>) => (await entered.log).length)).toBe(1)
    await expect(manager.$with(() => Promise.reject(new TypeError('no')))).rejects.toThrow(new TypeError('no'))
    expect(await manager.$with(() => Promise.reject(new RangeError('forget it')))).toBe(undefined)
    {
      await using entered = await manager.$enter<{ log: string[] }>()
      expect(await entered.$is(manager)).toBe(true)
    }
    expect(await manager.log).toEqual([
      'in',
      'None',
      'in',
      'TypeError: no',
      'in',
      'RangeError: forget it',
      'in',
      'None',
    ])
  })

  it("tells a failure to all that depends on it, and to the worker's stderr when nobody asked", async () => {
    const bad = gateway.new<{ rotate(n: number): { extra: unknown } }>('collections.deque', [5])
    const longer = bad.rotate(1).extra
    await expect(longer.value()).rejects.toThrow(RemoteError)
    await expect(bad).rejects.toThrow(/^TypeError: 'int' object is not iterable/)
    await expect(gateway.call('len', [bad])).rejects.toThrow(/^TypeError: 'int' object is not iterable/)
    output.length = 0
    gateway.ref.eval('1 // 0').dispose()
    const five = (await gateway.ref.eval('5')) as { nosuch?: number }
    five.nosuch = 1
    const complaints = (): number =>
      output.filter(({ text }) => text === 'tendril: a failure was never retrieved:').length
    await expect.poll(complaints).toBe(2)
    expect(output.some(({ text }) => text.includes('ZeroDivisionError'))).toBe(true)
    expect(output.some(({ text }) => text.includes('AttributeError'))).toBe(true)
  })
})

describe('a remote object', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  })

  it('iterates in batches, and leaving the loop closes a generator', async () => {
    await gateway.execute(
      'state = []\ndef count():\n    try:\n        for i in range(10**9): yield i\n    finally: state.append("closed")',
    )
    const numbers = await gateway.ref.call<number[]>('count')
    const seen: unknown[] = []
    for await (const number of numbers) if (seen.push(number) === 5) break
    expect(seen).toEqual([0, 1, 2, 3, 4])
    await expect.poll(() => gateway.get('state')).toEqual(['closed'])
  })

  it('awaits coroutines within a chain', async () => {
    await gateway.execute('async def word(): return "hello"')
    expect(await gateway.ref.call<{ upper(): string }>('word').upper()).toBe('HELLO')
  })

  it('is no promise once it is settled, and prints as what it is', async () => {
    const object = await gateway.new<object>('object')
    expect((object as { then?: unknown }).then).toBe(undefined)
    expect(inspect(object)).toMatch(/^<Python: reference \d+ of gw\d+>$/)
    expect(String(modulesOf(gateway).os.path)).toBe('<Python: modules.os.path>')
    expect(JSON.stringify({ object })).toBe('{}')
    expect(await (async () => object)()).toBe(object)
  })

  it('performs a chain of any length', async () => {
    interface Text {
      strip(): Text
    }
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    let text: Remote<Text> = gateway.ref.eval<Text>("' a '")
    for (let i = 0; i < 150_000; i++) text = text.strip()
    expect(await text.value()).toBe('a')
    let failed: Remote<Text> = gateway.ref.eval<Text>('1 / 0')
    for (let i = 0; i < 2000; i++) failed = failed.strip()
    await expect(failed.value()).rejects.toMatchObject({ type: 'ZeroDivisionError' })
  })

  it('says what cannot be sent, and the gateway stays usable', async () => {
    const error = await errorOf(modulesOf(gateway).len({ a: [new WeakMap()] }))
    expect(error).toBeInstanceOf(DumpError)
    expect(error).toMatchObject({ path: 'args[0].a[0]' })
    await expect(
      modulesOf(gateway)
        .dict(kwargs({ b: new WeakMap() }))
        .value(),
    ).rejects.toMatchObject({ path: 'kwargs.b' })
    interface Text {
      upper(): Text
      center(width: unknown): Text
      lower(): string
    }
    const chain = gateway.ref.eval<Text>("'a'").upper().center(new WeakMap()).lower()
    await expect(chain).rejects.toMatchObject({ path: 'args[0]' })
    const list = await gateway.ref.eval<unknown[]>('[]')
    await expect(list.$setItem(0, new WeakMap())).rejects.toMatchObject({ path: 'value' })
    expect(() => Object.assign(list, { x: new WeakMap() })).toThrow(DumpError)
    expect(await list.value()).toEqual([])
  })

  it('cannot be used after its disposal, on another gateway, or where values are meant', async () => {
    const other = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    const object = await gateway.new<{ append(item: unknown): null }>('list')
    await expect(other.call('len', [object])).rejects.toThrow(
      /reference \d+ of gw\d+ cannot be used on gw\d+: its object lives in another process/,
    )
    expect(() => modulesOf(other).len(object)).not.toThrow()
    await expect(modulesOf(other).len(object)).rejects.toThrow(DumpError)
    await expect(gateway.call('len', [modulesOf(gateway).sys.path])).rejects.toThrow(/is only a name until it is used/)
    expect(await modulesOf(gateway).len(modulesOf(gateway).sys.path)).toBeGreaterThan(0)
    const channel = gateway.remoteExec('channel.receive()')
    await expect(channel.send(object)).rejects.toThrow(/can only be an argument of a call or a task/)
    object.dispose()
    object.dispose()
    await expect(object.$length()).rejects.toThrow(RemoteReferenceError)
    await expect(object.$length()).rejects.toThrow(/was disposed of/)
    expect(() => object.append(1)).toThrow(RemoteReferenceError)
    await expect(gateway.call('len', [object])).rejects.toThrow(/was disposed of/)
  })

  it('fails at once when what it is made of cannot be read there, or was not made', async () => {
    const unreadable = gateway.ref.call<number[]>('list', [[new Fraction(1n, 0n)]])
    const dependent = unreadable[0]
    await gateway.call('len', [[]])
    await expect(dependent).rejects.toThrow(/LoadError: cannot load an item: ZeroDivisionError/)
    await expect(gateway.call('len', [unreadable])).rejects.toThrow(/ZeroDivisionError/)
    const bad = gateway.ref.eval('1 // 0')
    const lengths = modulesOf(gateway).len(bad)
    await gateway.call('len', [[]])
    await expect(lengths.$op('add', 1).value()).rejects.toThrow(/^ZeroDivisionError/)
    await expect(gateway.remoteExec('pass', { bad }).waitClose()).rejects.toThrow(/^ZeroDivisionError/)
    const self = gateway.ref.eval<number[]>('[]')
    expect(await self.$op('concat', [[self]]).$length()).toBe(1)
  })

  it('takes operands as they are when it is written', async () => {
    const list = await gateway.ref.eval<{ append(item: unknown): null }>('[]')
    const row = [0]
    const big = Array.from({ length: 100 }, () => 0)
    for (let i = 0; i < 3; i++) {
      row[0] = i
      big[99] = i
      void list.append(row)
      void list.append(big)
    }
    const value = (await list.value()) as unknown as number[][]
    expect(value.map((each) => each.at(-1))).toEqual([0, 0, 1, 1, 2, 2])
  })

  it('keeps the order in which things are written, whoever writes them', async () => {
    await gateway.execute('log = []')
    const log = await gateway.ref.get<{ append(line: string): null }>('log')
    const promises: unknown[] = []
    for (let i = 0; i < 20; i++) {
      void log.append(`reference ${i}`)
      promises.push(gateway.call('log.append', [`call ${i}`]))
    }
    await Promise.all(promises)
    expect(await log.value()).toEqual(Array.from({ length: 20 }, (_, i) => [`reference ${i}`, `call ${i}`]).flat())
  })

  it('waits for those before it, and needs no more than they make', async () => {
    const slow = modulesOf(gateway).time.sleep(0.05).value()
    let isOver = false
    void slow.then(() => {
      isOver = true
    })
    expect(await modulesOf(gateway).operator.add(1, 2)).toBe(3)
    expect(isOver).toBe(true)
    const waits = gateway.ref.eval('import time; time.sleep(0.05); [1]')
    expect(await modulesOf(gateway).len(waits)).toBe(1)
  })

  it('has the types that are known of it', async () => {
    interface Point {
      readonly x: number
      moved(by: number): Point
    }
    const modules = gateway.modules as Remote<{
      os: { getcwd(): string; path: { sep: string } }
      geometry: { Point(x: number): Point }
    }>
    expectTypeOf(modules.os.getcwd()).resolves.toEqualTypeOf<string>()
    expectTypeOf(modules.os.path.sep).resolves.toEqualTypeOf<string>()
    expectTypeOf<ReturnType<typeof modules.geometry.Point>>().resolves.toEqualTypeOf<Point>()
    expectTypeOf<Parameters<typeof modules.geometry.Point>[0]>().extract<number>().toEqualTypeOf<number>()
    type Moved = ReturnType<ReturnType<typeof modules.geometry.Point>['moved']>
    expectTypeOf<Awaited<ReturnType<Moved['ref']>>>().toEqualTypeOf<RemoteObject<Point>>()
    expectTypeOf<Awaited<Moved['x']>>().toEqualTypeOf<number>()
    // @ts-expect-error a number is wanted
    const wrong = (): unknown => modules.geometry.Point('no')
    expect(wrong).toBeTypeOf('function')
    expect(await modules.os.path.sep).toBe('/')
  })
})
