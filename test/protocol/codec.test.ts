// What the codec promises beyond single values (values.test.ts): identity, limits, errors with paths, and what is not copied.
import { describe, expect, it } from 'vitest'
import { DumpError, LoadError } from '../../src/errors.js'
import { type DecodeOptions, decode, dumps, encode, loads } from '../../src/protocol/codec.js'
import { DateTime, PlainDate } from '../../src/protocol/times.js'
import { Deque, FrozenSet, float, JSValue, NdArray, OrderedDict, Tuple } from '../../src/protocol/values.js'
import { anyInterpreter, interpreters } from '../interpreters.js'
import { fromHex, PythonPeer, toHex } from './python-peer.js'

const both = [2, 5]

function roundTrip(value: unknown, protocol: number): unknown {
  return decode(Buffer.concat(encode(value, { protocol })))
}

function pickle(...codes: (number | string)[]): Uint8Array {
  const bytes = codes.map((code) => (typeof code === 'number' ? Buffer.of(code) : Buffer.from(code, 'latin1')))
  return new Uint8Array(Buffer.concat(bytes))
}

function dumpError(value: unknown): DumpError {
  try {
    encode(value, { protocol: 5 })
  } catch (error) {
    if (error instanceof DumpError) return error
  }
  throw new Error('it was encoded')
}

describe.each(both)('a value in protocol %i', (protocol) => {
  it('keeps references that are shared', () => {
    const row = { id: 1 }
    const when = new Date(0)
    const bytes = Uint8Array.of(1)
    const back = roundTrip({ a: row, b: [row], c: when, d: when, e: bytes, f: bytes }, protocol) as Record<
      string,
      unknown
    >
    expect((back['b'] as unknown[])[0]).toBe(back['a'])
    expect(back['d']).toBe(back['c'])
    expect(back['f']).toBe(back['e'])
  })

  it.each([
    ['array', () => [] as unknown[], (holder: unknown[]) => holder.push(holder), (holder: unknown[]) => holder[0]],
    [
      'tuple',
      () => new Tuple<unknown>([]),
      (t: Tuple) => (t[0] as unknown[]).push(t),
      (t: Tuple) => (t[0] as unknown[])[0],
    ],
    [
      'tuple of four',
      () => new Tuple<unknown>(1, 2, 3, []),
      (t: Tuple) => (t[3] as unknown[]).push(t),
      (t: Tuple) => (t[3] as unknown[])[0],
    ],
    [
      'map',
      () => new Map<unknown, unknown>(),
      (map: Map<unknown, unknown>) => map.set(1, map),
      (map: Map<unknown, unknown>) => map.get(1),
    ],
    [
      'ordered dict',
      () => new OrderedDict(),
      (map: OrderedDict) => map.set('me', map),
      (map: OrderedDict) => map.get('me'),
    ],
    ['deque', () => new Deque(), (deque: Deque) => deque.push(deque), (deque: Deque) => deque[0]],
  ] as [string, () => object, (holder: never) => void, (holder: never) => unknown][])(
    'keeps a cycle through a %s',
    (_, make, tie, follow) => {
      const value = make()
      tie(value as never)
      const back = roundTrip(value, protocol)
      expect(follow(back as never)).toBe(back)
    },
  )

  it('keeps 100,000 numbers, texts and rows', () => {
    const value = Array.from({ length: 100_000 }, (_, i) =>
      i % 3 === 0 ? i * 1.5 : i % 3 === 1 ? `text ${i} é` : { id: i },
    )
    expect(roundTrip(value, protocol)).toEqual(value)
  })

  it('keeps a string of every code unit', () => {
    const all = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit))
    expect(roundTrip(all, protocol)).toEqual(all)
    expect(roundTrip(all.join('x'), protocol)).toBe(all.join('x'))
  })

  it('keeps keys whatever their name', () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf', '', '0', '__defineGetter__']
    const back = roundTrip(Object.fromEntries(names.map((name) => [name, name])), protocol) as object
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(Object.keys(back).sort()).toEqual([...names].sort())
  })
})

describe('bytes', () => {
  it('of 64 KiB and more are referenced, in their place', () => {
    const big = new Uint8Array(1 << 20).fill(7)
    const numbers = new Float64Array(1 << 16).fill(0.5)
    const parts = encode({ a: big, b: 'x', c: numbers }, { protocol: 5 })
    expect(parts.filter((part) => part.buffer === big.buffer || part.buffer === numbers.buffer)).toHaveLength(2)
    const back = decode(Buffer.concat(parts)) as { a: Uint8Array; b: string; c: Float64Array }
    // toEqual takes seconds for a million numbers.
    expect([Buffer.compare(back.a, big), back.b, back.c.join() === numbers.join()]).toEqual([0, 'x', true])
  })

  it('that are most of a payload are views of it, others are copies', () => {
    const payload = new Uint8Array(Buffer.concat(encode([new Uint8Array(1 << 20), Uint8Array.of(1)], { protocol: 5 })))
    const [big, small] = decode(payload) as Uint8Array[]
    expect(big?.buffer).toBe(payload.buffer)
    expect(small?.buffer.byteLength).toBe(1)
  })

  it('are plain Uint8Arrays, though the payload is a Buffer', () => {
    const back = decode(Buffer.concat(encode([Buffer.from('abc'), new Uint8Array(1 << 17)], { protocol: 5 })))
    expect((back as object[]).map((item) => item.constructor)).toEqual([Uint8Array, Uint8Array])
  })

  it('of a DataView are those under it', () => {
    expect(roundTrip(new DataView(Uint8Array.of(1, 2, 3).buffer, 1), 5)).toEqual(Uint8Array.of(2, 3))
  })
})

describe('a value that cannot be sent', () => {
  class Account {
    id = 1
  }
  it.each([
    [
      { users: [{}, { avatar: new WeakMap() }] },
      'item.users[1].avatar',
      'WeakMap has no wire type. Convert it, or register a value type.',
    ],
    [[new Account()], 'item[0]', 'Account has no wire type. Convert it, or register a value type.'],
    [{ 'a b': Promise.resolve() }, 'item["a b"]', 'Promise has no wire type. Await it first.'],
    [{ f() {} }, 'item.f', 'a function has no wire type. Send what it gives instead.'],
    [Symbol('s'), 'item', 'a symbol has no wire type. Send what it gives instead.'],
    [
      new Map<unknown, unknown>([['k', [new Account()]]]),
      'item.get("k")[0]',
      'Account has no wire type. Convert it, or register a value type.',
    ],
    [{ when: new Date(Number.NaN) }, 'item.when', 'Date Invalid Date is not one that Python can hold.'],
    [new Date(8.64e15), 'item', expect.stringContaining('is not one that Python can hold')],
    [{ [Symbol('tag')]: 1 }, 'item', 'its key Symbol(tag) is a symbol. Use a string.'],
    [new Set([[1]]), 'item{Array}', 'Python cannot hash it; a Tuple or a FrozenSet it can.'],
    [new Map([[new Tuple([]), 1]]), 'item{Tuple}', 'Python cannot hash it; a Tuple or a FrozenSet it can.'],
    [
      new Map<unknown, unknown>([
        [1, 'a'],
        [true, 'b'],
      ]),
      'item{true}',
      'Python takes two of these keys for equal.',
    ],
    [new Set([1, 1n]), 'item{1}', 'Python takes two of these keys for equal.'],
    [
      new Set([new Tuple<unknown>(1, 'a'), new Tuple<unknown>(1, 'a')]),
      'item{Tuple}',
      'Python takes two of these keys for equal.',
    ],
    [
      new Set([new PlainDate(2024, 1, 1), new PlainDate(2024, 1, 1)]),
      'item{PlainDate}',
      'Python takes two of these keys for equal.',
    ],
  ])('is named by its path: %#', (value, path, detail) => {
    const error = dumpError(value)
    expect(error.path).toBe(path)
    expect(error.message.slice(`cannot send ${path}: `.length)).toEqual(detail)
  })

  it('names the getter that threw', () => {
    const value = {
      a: {
        get b(): number {
          throw new RangeError('no b')
        },
      },
    }
    expect(dumpError(value)).toMatchObject({
      path: 'item.a.b',
      message: 'cannot send item.a.b: no b',
      cause: new RangeError('no b'),
    })
  })

  it('is refused when it is nested too deep, at either end', () => {
    let deep: unknown = []
    for (let i = 0; i < 1500; i++) deep = [deep]
    expect(dumpError(deep).message).toContain('it is nested deeper than 1000.')
    expect(() => decode(pickle(0x80, 2, ']'.repeat(1500), 'a'.repeat(1499), '.'))).toThrow('nested deeper than 1000')
    expect(() => decode(pickle(0x80, 2, 'N', '\x85'.repeat(1500), '.'))).toThrow('nested deeper than 1000')
  })

  it('leaves the encoder usable, also from within a getter', () => {
    const value = {
      get inner() {
        return dumps([1])
      },
      text: 'after',
    }
    expect(loads(dumps(value))).toEqual({ inner: dumps([1]), text: 'after' })
    expect(() =>
      dumps({
        get inner() {
          return dumps(new Account())
        },
      }),
    ).toThrow('cannot send item.inner: cannot send item: Account')
    expect(loads(dumps('fine'))).toBe('fine')
  })
})

describe('a channel', () => {
  const channel = new (class Channel {})()
  const reference = { kind: 'Channel', id: 7 }
  const channels: DecodeOptions = { referred: (kind, id) => (kind === 'Channel' && id === 7 ? channel : undefined) }

  it('travels as its id', () => {
    for (const protocol of both) {
      const parts = encode(
        { a: channel, b: channel },
        { protocol, referenceTo: (value) => (value === channel ? reference : undefined) },
      )
      expect(decode(Buffer.concat(parts), channels)).toEqual({ a: channel, b: channel })
    }
  })

  it('that may not be sent is an error with its path', () => {
    const referenceTo = (): never => {
      throw new Error('it is of another gateway')
    }
    expect(() => encode([channel], { protocol: 5, referenceTo })).toThrow(
      'cannot send item[0]: it is of another gateway',
    )
  })

  it('is one of the things that stay where they are: functions are asked about too, and unknown kinds are refused', () => {
    const twice = (): number => 2
    const parts = encode([twice, twice], { protocol: 5, referenceTo: () => ({ kind: 'Callback', id: 3 }) })
    const referred = (kind: string, id: number): unknown => (kind === 'Callback' && id === 3 ? twice : undefined)
    expect(decode(Buffer.concat(parts), { referred })).toEqual([twice, twice])
    expect(() => decode(Buffer.concat(parts), channels)).toThrow('it refers to a Callback, which means nothing here')
    expect(() => encode([twice], { protocol: 5 })).toThrow('cannot send item[0]: a function has no wire type')
  })

  it('has no place in what is stored', () => {
    expect(() => dumps(channel)).toThrow(DumpError)
    expect(() => loads(Buffer.concat(encode(channel, { protocol: 2, referenceTo: () => reference })))).toThrow(
      LoadError,
    )
  })
})

describe('a hostile payload', () => {
  it.each<[string, Uint8Array]>([
    ['is empty', pickle()],
    ['is cut', pickle(0x80, 2, 'X', 5, 0, 0, 0, 'ab')],
    ['has no end', pickle(0x80, 2, 'N')],
    ['goes on after its end', pickle(0x80, 2, 'N..')],
    ['leaves two values', pickle('NN.')],
    ['asks for a name', pickle('cos\nsystem\n', 'X', 2, 0, 0, 0, 'id', 0x85, 'R.')],
    ['is a name', pickle('c_tendril.values\ndecimal\n.')],
    ['hides a name in a list', pickle(']c_tendril.values\ndecimal\na.')],
    ['hides a name in a dict', pickle('}K', 1, 'c_tendril.values\ndecimal\ns.')],
    ['hides a name as a key', pickle('}c_tendril.values\ndecimal\nNs.')],
    ['hides a name in a set', pickle(0x8f, '(c_tendril.values\ndecimal\n', 0x90, '.')],
    ['hides a name behind base', pickle('c_tendril.values\nbase\nc_tendril.values\ndecimal\n', 0x85, 'R.')],
    ['asks for what objects inherit', pickle('c_tendril.values\n__proto__\n)R.')],
    ['asks for constructor', pickle('cbuiltins\nconstructor\n)R.')],
    ['sets the state of an object', pickle('c_tendril.values\ndecimal\nX', 1, 0, 0, 0, '1', 0x85, 'R}b.')],
    ['makes an instance', pickle('c_tendril.values\ndecimal\n)', 0x81, '.')],
    ['calls a value', pickle(']', ')R.')],
    ['promises 4 GB of text', pickle('X', 255, 255, 255, 255, 'a')],
    ['promises 2**63 bytes', pickle(0x8e, 255, 255, 255, 255, 255, 255, 255, 127, 'a')],
    ['promises a frame that it has not', pickle(0x80, 4, 0x95, 255, 0, 0, 0, 0, 0, 0, 0, 'N.')],
    ['remembers at 2**32', pickle('Nr', 255, 255, 255, 255, '.')],
    ['recalls what it did not remember', pickle('h', 0, '.')],
    ['pops from below a mark', pickle('N(', '0', '0', '0.')],
    ['appends to a tuple', pickle(')Na.')],
    ['appends to bytes', pickle('C', 1, 'aNa.')],
    [
      'sets a key of a value class',
      pickle('c_tendril.values\ndecimal\nX', 1, 0, 0, 0, '1', 0x85, 'RX', 1, 0, 0, 0, 'aNs.'),
    ],
    ['adds to a frozenset', pickle('(', 0x91, '(N', 0x90, '.')],
    ['has a key without a value', pickle('}(Nu.')],
    ['has a list for a key', pickle('}]Ns.')],
    ['has a key twice', pickle('}(K', 1, 'NK', 1, 'Nu.')],
    ['has text that is not UTF-8', pickle('X', 2, 0, 0, 0, 'a', 0xff, '.')],
    ['has text in overlong UTF-8', pickle('X', 2, 0, 0, 0, 0xc0, 0x80, '.')],
    ['asks for a buffer out of band', pickle(0x80, 5, 0x97, '.')],
    ['is of protocol 6', pickle(0x80, 6, 'N.')],
    ['has a decimal number of 5000 digits', pickle('I', '1'.repeat(5000), '\n.')],
    ['has a range that never ends', pickle('c_tendril.values\nint_range\n(K', 5, 'K', 1, 'K', 0, 'tR.')],
    ['has a number that is a word', pickle('Inan\n.')],
  ])('is refused: it %s', (_, payload) => {
    expect(() => decode(payload)).toThrow(LoadError)
  })

  it('cannot hide depth behind the memo', () => {
    // Each list is put into the one before it after that one was put away, so that no container grows while it is on top.
    const steps = Array.from({ length: 1500 }, (_, i) => ['j', ...le(i), ']r', ...le(i + 1), 'a0'])
    expect(() => decode(pickle(']r', ...le(0), '0', ...steps.flat(), 'j', ...le(0), '.'))).toThrow('nested deeper')
  })

  it('cannot make the prototype of anything its own', () => {
    const value = decode(pickle('}X', 9, 0, 0, 0, '__proto__', '}X', 5, 0, 0, 0, 'adminK', 1, 'ss.')) as Record<
      string,
      unknown
    >
    expect(value['admin']).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })
})

describe('what Python 2 writes', () => {
  it.each([
    ['U\x02hi', 'hi'],
    ['T\x02\x00\x00\x00hi', 'hi'],
    ['U\x02\xc3\xa9', 'é'],
    ['U\x02\xff\xfe', Uint8Array.of(255, 254)],
    ['I4294967296\n', 4294967296],
    ['I-9223372036854775808\n', -9223372036854775808n],
    ['L5L\n', 5],
  ])('is text where it is UTF-8, and a number where it is digits: %#', (code, value) => {
    expect(decode(pickle(code, '.'))).toEqual(value)
  })
})

describe('dicts that turn out to be maps', () => {
  it('are so everywhere, also where they were already', () => {
    const text = ['X', 1, 0, 0, 0, 'a'] as const
    // d = {}; l = [d, d]; d['a'] = l; d[1] = l
    const payload = pickle('}q', 0, ']q', 1, 'h', 0, 'ah', 0, 'a0', ...text, 'h', 1, 's', 'K', 1, 'h', 1, 's.')
    const map = decode(payload) as Map<unknown, unknown[]>
    expect([...map.keys()]).toEqual(['a', 1])
    expect(map.get('a')?.[0]).toBe(map)
    expect(map.get(1)).toBe(map.get('a'))
  })
})

describe('stored values', () => {
  it('are one array of bytes that keeps everything', () => {
    const value = {
      a: new DateTime(1, { microsecond: 5 }),
      b: new FrozenSet([1]),
      c: new NdArray(Float64Array.of(1, 2), [1, 2]),
      d: float(2),
    }
    expect(loads(dumps(value))).toEqual({ ...value, d: 2 })
    expect(loads(dumps(new JSValue('{"json":1}')))).toEqual(new JSValue('{"json":1}'))
  })
})

describe('Python', () => {
  it.each(interpreters())('$name names the path of what cannot be sent', async ({ command, name }) => {
    await using peer = new PythonPeer(command)
    const expressions = [
      'object()',
      '[1, {"a": [object()]}]',
      '{"a b": len}',
      '(set, {1: lambda: 0})',
      '{object(): 1}',
      'ListOf([1, object()])',
    ]
    const builtins = name === 'CPython 2.7' ? '__builtin__' : 'builtins'
    const answers = (await peer.ask({ error: [...expressions, 'nested(100000)'] })) as string[]
    const paths = answers.map((answer) =>
      /^cannot send (item[^:]*?(?:\{.*\})?): /.exec(answer)?.[1]?.replace(/ at 0x\w+/, ''),
    )
    expect(paths.slice(0, 4)).toEqual(['item', 'item[1].a[0]', "item['a b']", 'item[0]'])
    expect(paths[4]).toMatch(/^item\{<object object/)
    expect(paths[5]).toBe('item[1]')
    expect(answers[0]).toBe(`cannot send item: ${builtins}.object has no wire type. Convert it first.`)
    expect(answers[6]).toContain('nested deeper than')
  })

  it('reads what is shared as shared', async () => {
    await using peer = new PythonPeer(anyInterpreter().command)
    const [payloads] = (await peer.ask({ dump: ['shared(ListOf([decimal.Decimal(1)]))'] })) as Record<string, string>[]
    const [one, other] = decode(fromHex(String(payloads?.['5']))) as unknown[]
    expect(one).toBe(other)
    const row = {}
    const [difference] = await peer.ask({ load: [toHex(encode([row, row], { protocol: 5 }))], expect: ['shared({})'] })
    expect(difference).toBeNull()
  })
})

function le(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24]
}
