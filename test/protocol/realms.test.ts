// Values of another realm, and of another install of the package, are sent as ours are; what could not come back is refused.
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import {
  Decimal,
  DumpError,
  dumps,
  FrozenSet,
  kwargs,
  loads,
  makeGateway,
  OrderedDict,
  registerJSValue,
  Tuple,
} from '../../src/index.js'

const foreign = (text: string): unknown => runInNewContext(text)

describe('a value of another realm', () => {
  it.each([
    ['new Date(86400000)', new Date(86_400_000)],
    ['new Map([[1, 2]])', new Map([[1, 2]])],
    ['new Set([1, "a"])', new Set([1, 'a'])],
    ['new Map([[new Date(0), 1]])', new Map([[new Date(0), 1]])],
    ['new Map([[new Uint8Array([1]), 1]])', new Map([[new Uint8Array([1]), 1]])],
    ['[1, { a: [2] }, [3]]', [1, { a: [2] }, [3]]],
    ['Object.create(null)', {}],
    ['new Uint8Array([1, 2])', new Uint8Array([1, 2])],
    ['new Uint8Array([1, 2]).buffer', new Uint8Array([1, 2])],
    ['new DataView(new ArrayBuffer(2))', new Uint8Array(2)],
    ['new Int16Array([-1])', new Int16Array([-1])],
    ['new BigInt64Array([5n])', new BigInt64Array([5n])],
    ['new Float64Array([0.5])', new Float64Array([0.5])],
    ['/a+/gi', /a+/gi],
  ])('%s', (text, ours) => {
    expect(loads(dumps(foreign(text)))).toEqual(ours)
    const [one, other] = loads(dumps(foreign(`const value = ${text}; [value, value]`))) as unknown[]
    expect(one).toBe(other)
  })

  it.each([
    'new Date(NaN)',
    'new Map([[[], 1]])',
    'new WeakMap()',
    'new Promise(() => {})',
    'new Map([[new Map(), 1]])',
    'new Set([new Uint8Array([1]), new Uint8Array([1])])',
  ])('%s is refused as ours is', (text) => {
    expect(() => dumps(foreign(text))).toThrow(DumpError)
  })
})

it('an error of another realm keeps its class, its message and its cause', () => {
  const error = loads(dumps(foreign('new TypeError("no", { cause: new RangeError("because") })')))
  expect(error).toBeInstanceOf(TypeError)
  expect(error).toMatchObject({ message: 'no', cause: { name: 'RangeError', message: 'because' } })
  expect((error as Error).cause).toBeInstanceOf(RangeError)
})

describe('a value of a second install', () => {
  it('is sent as ours is, subclasses too', async () => {
    vi.resetModules()
    const second = await import('../../src/index.js')
    expect(second.Tuple).not.toBe(Tuple)
    const values = (from: typeof second): unknown[] => [
      new from.Tuple<unknown>(1, new from.FrozenSet([2])),
      from.float(1),
      new from.Decimal('1.10'),
      new from.PlainDate(2026, 1, 2),
      new from.DateTime(5, { microsecond: 7 }),
      new from.UUID('12345678-1234-5678-1234-567812345678'),
      new from.OrderedDict([['b', 1]]),
      new from.Deque([1], 3),
      new from.NdArray(new Float64Array([1, 2]), [2]),
      new from.Complex(1, 2),
      new Map([[new from.Tuple(1), 1]]),
      new (class Point extends from.Tuple<number> {})(3, 4, 5),
    ]
    expect([...dumps(values(second))]).toEqual([...second.dumps(values(second))])
    expect(loads(dumps(new second.Tuple(1, 2)))).toBeInstanceOf(Tuple)
    expect(new second.Tuple(1) instanceof Tuple).toBe(true)
    expect(new Tuple(1) instanceof class Point extends Tuple<number> {}).toBe(false)
  })

  it('is taken for keyword arguments, too', async () => {
    vi.resetModules()
    const second = await import('../../src/index.js')
    await using gateway = await makeGateway()
    expect(second.kwargs).not.toBe(kwargs)
    expect(await gateway.modules.builtins.dict(second.kwargs({ a: 1 }))).toEqual({ a: 1 })
  })
})

describe('what could not come back', () => {
  const chain = (length: number): Error => {
    let error = new Error('innermost')
    for (let count = 1; count < length; count++) error = new Error('outer', { cause: error })
    return error
  }

  it.each([
    ['a long pattern', () => new RegExp('a'.repeat(1001)), /longer than 1000 characters/],
    [
      'one within an error',
      () => Object.assign(new Error('no'), { pattern: new RegExp('a'.repeat(1001)) }),
      /longer than 1000/,
    ],
    ['an error with 300 causes', () => chain(300), /nested deeper than 200/],
    ['an error with 100,000 causes', () => chain(100_000), /./],
  ])('is refused when it is sent: %s', (_, make, message) => {
    expect(() => dumps({ where: [make()] })).toThrow(
      expect.objectContaining({ code: 'ERR_DUMP', path: 'item.where[0]', message: expect.stringMatching(message) }),
    )
  })

  it('is as much as can be sent', () => {
    expect(loads(dumps(new RegExp('a'.repeat(1000))))).toEqual(new RegExp('a'.repeat(1000)))
    let sent = 0
    for (let length = 60; length < 130; length++) {
      try {
        dumps(chain(length))
        sent = length
      } catch {
        continue
      }
      expect(() => loads(dumps(chain(length)))).not.toThrow()
    }
    expect(sent).toBeGreaterThan(90)
  })
})

describe('inside of an error', () => {
  const holding = (x: unknown): Error => Object.assign(new Error('m'), { x })
  const back = (value: unknown): Error & { x: unknown } => loads(dumps(value)) as Error & { x: unknown }

  it.each([
    ['Map', 'new Map([[new Date(0), new Set([/a/g])]])', new Map([[new Date(0), new Set([/a/g])]])],
    ['objects', '({ a: [{ b: new Date(5) }] })', { a: [{ b: new Date(5) }] }],
    [
      'bytes',
      '[new Uint8Array([1]), new Uint8Array([2]).buffer, new DataView(new Uint8Array([3]).buffer)]',
      [1, 2, 3].map((n) => Uint8Array.of(n)),
    ],
    [
      'typed arrays',
      '[new Float64Array([NaN, -0, Infinity]), new BigInt64Array([5n])]',
      [new Float64Array([Number.NaN, -0, Infinity]), new BigInt64Array([5n])],
    ],
    ['no prototype', 'Object.assign(Object.create(null), { a: 1 })', { a: 1 }],
  ])('what is of another realm arrives as what is ours: %s', (_, text, ours) => {
    expect(back(holding(foreign(text))).x).toEqual(ours)
    expect(back(holding(ours)).x).toEqual(ours)
    expect(back(new Error('m', { cause: foreign(text) })).cause).toEqual(ours)
  })

  it('values of Python stay what they are', () => {
    const values = [new Tuple(1, 2), new FrozenSet([1]), new OrderedDict([['a', 1]]), new Decimal('1.10')]
    const arrived = back(holding(values)).x as unknown[]
    expect(arrived).toEqual(values)
    expect(arrived.map((value) => value?.constructor)).toEqual([Tuple, FrozenSet, OrderedDict, Decimal])
  })

  it('what is referred to twice, or refers back, does so when it arrives', () => {
    const shared = {}
    const cause: Error = new TypeError('because')
    const error = Object.assign(new Error('m', { cause }), {
      first: shared,
      second: [shared, cause],
    })
    Object.assign(cause, { back: error, set: new Set([error]) })
    const arrived = loads(dumps(error)) as Error & {
      first: object
      second: unknown[]
      cause: { back: unknown; set: Set<unknown> }
    }
    expect(arrived.second[0]).toBe(arrived.first)
    expect(arrived.second[1]).toBe(arrived.cause)
    expect(arrived.cause).toBeInstanceOf(TypeError)
    expect([arrived.cause.back, ...arrived.cause.set]).toEqual([arrived, arrived])
    const [one, other] = (loads(dumps(new AggregateError([cause, cause]))) as AggregateError).errors
    expect(one).toBeInstanceOf(TypeError)
    expect(one).toBe(other)
  })

  it('an invalid date is refused', () => {
    expect(() => dumps(holding(new Date(Number.NaN)))).toThrow(/an invalid date/)
  })

  it('a registered class is what it was, also one that extends Error or Map', () => {
    class Missing extends Error {}
    class Counts extends Map<string, number> {}
    registerJSValue<Missing>({
      name: 'Missing',
      isApplicable: (value) => value instanceof Missing,
      serialize: ({ message }) => message,
      deserialize: (text) => new Missing(String(text)),
    })
    registerJSValue<Counts>({
      name: 'Counts',
      isApplicable: (value) => value instanceof Counts,
      serialize: (counts) => JSON.stringify([...counts]),
      deserialize: (text) => new Counts(JSON.parse(String(text))),
    })
    expect(back(new Missing('a'))).toBeInstanceOf(Missing)
    const { x } = back(holding(new Counts([['a', 1]])))
    expect(x).toBeInstanceOf(Counts)
    expect(x).toEqual(new Counts([['a', 1]]))
  })
})

describe('what a gateway is given of another realm', () => {
  /** As whatwg-url and jsdom make them: of no class of Node's. */
  class Url {
    readonly href: string
    constructor(href: string) {
      this.href = href
    }
    get [Symbol.toStringTag](): string {
      return 'URL'
    }
  }
  class Signal extends EventTarget {
    aborted = false
    reason: unknown
    get [Symbol.toStringTag](): string {
      return 'AbortSignal'
    }
    abort(reason: unknown): void {
      Object.assign(this, { aborted: true, reason })
      this.dispatchEvent(new Event('abort'))
    }
  }

  it('names, arguments, options, URLs and signals do as ours', async () => {
    await using gateway = await makeGateway()
    const names = foreign('({ x: 5 })') as Record<string, unknown>
    expect(await gateway.eval('x + 1', names)).toBe(6)
    await gateway.execute('y = z', foreign('({ names: { z: 7 } })') as { names: Record<string, unknown> })
    expect(await gateway.call('dict', [], names)).toEqual({ x: 5 })
    const operands = foreign('[[1, [2]]]') as unknown[]
    const length = gateway.modules.builtins['len']?.(operands[0])
    ;(operands[0] as unknown[]).push(3)
    expect(await length).toBe(2)
    expect(loads(dumps(new Url('https://a/')))).toEqual(new URL('https://a/'))
    const signal = new Signal()
    await expect(gateway.eval('x', { x: signal })).rejects.toThrow(/is an AbortSignal/)
    const call = gateway
      .with({ signal: new AbortController().signal })
      .call('time.sleep', [60], {}, { signal: signal as never })
    signal.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
  })
})
