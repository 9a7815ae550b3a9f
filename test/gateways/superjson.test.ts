// What only JavaScript has goes to Python as a document and comes back as what it was; malformed documents are refused.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DumpError, LoadError } from '../../src/errors.js'
import { registerJSValue, useSuperjson } from '../../src/gateways/superjson.js'
import { decode, dumps, encode, loads, setJavaScriptCodec } from '../../src/protocol/codec.js'
import { JSValue } from '../../src/protocol/values.js'
import { chosenInterpreters } from '../interpreters.js'
import { fromHex, PythonPeer, toHex } from '../protocol/python-peer.js'

beforeAll(useSuperjson)
afterAll(() => setJavaScriptCodec(undefined))

class Point {
  readonly x: number

  constructor(x: number) {
    this.x = x
  }
}

function failure(): Error {
  const cause = Object.assign(new RangeError('too far'), { limit: 5n, when: new Date(0) })
  return Object.assign(new TypeError('no way', { cause }), { code: 'ERR_WAY' })
}

const originals: [string, () => object][] = [
  ['a URL', () => new URL('https://example.org/a?b=c#d')],
  ['a RegExp', () => /a\/b"(?<c>\d)/giu],
  ['an error with a cause and fields', failure],
  ['an AggregateError', () => new AggregateError([new Error('one'), new URL('file:///x')], 'both')],
  ['an error of a class of its own', () => Object.assign(new Error('x'), { name: 'ParseError' })],
  [
    'an error with a field that is called length',
    () => Object.assign(new Error('x'), { data: { length: 5n, list: [1n] } }),
  ],
  ['an error that holds bytes', () => Object.assign(new Error('x'), { body: Uint8Array.of(1, 255) })],
]

describe.each(originals)('%s', (_, make) => {
  it('comes back as what it was', () => {
    const back = loads(dumps({ a: make() })) as { a: object }
    expect(back.a).toStrictEqual(make())
    expect(back.a.constructor).toBe(make().constructor)
  })

  it.each(chosenInterpreters())('goes through $name unchanged', async ({ command }) => {
    await using peer = new PythonPeer(command)
    const value = make()
    const [echo] = await peer.ask({ echo: [toHex(encode([value, value], { protocol: 2 }))] })
    const back = loads(fromHex(String(echo))) as object[]
    expect(back).toStrictEqual([make(), make()])
  })
})

const document = (json: unknown, values: unknown): string => JSON.stringify({ json, meta: { values } })
/** To V8 they are one number: it looks at the lowest 64 bits. */
const clashing = Array.from({ length: 5000 }, (_, at) => String(BigInt(at + 1) << 64n))
const members = Object.fromEntries(clashing.map((_, at) => [at, ['bigint']]))
const custom = ['custom', 'PythonValue']
/** Two of them take more than the document may. */
const python = Buffer.from(dumps(Array.from({ length: 10_000 }, () => ({})))).toString('base64')

describe('a class', () => {
  it('cannot be sent until it is registered', () => {
    expect(() => dumps([new Point(1)])).toThrow('cannot send item[0]: Point has no wire type.')
    registerJSValue({
      name: 'Point',
      isApplicable: (value): value is Point => value instanceof Point,
      serialize: ({ x }) => ({ x }),
      deserialize: (json) => new Point(Number(Object.entries(json ?? {})[0]?.[1])),
    })
    expect(loads(dumps([new Point(1)]))).toStrictEqual([new Point(1)])
  })
})

describe('what superjson would lose', () => {
  it.each([
    ['a function', Object.assign(new Error('x'), { callback() {} })],
    ['a class instance', new Error('x', { cause: new WeakMap() })],
  ])('is an error of the sender: %s in an error', (_, value) => {
    expect(() => dumps({ deep: [value] })).toThrow(DumpError)
    expect(() => dumps({ deep: [value] })).toThrow('cannot send item.deep[0]: ')
  })
})

describe('a document', () => {
  function load(document: string): unknown {
    setJavaScriptCodec(undefined)
    const payload = dumps(new JSValue(document))
    useSuperjson()
    return loads(payload)
  }

  it.each([
    'not JSON',
    '5',
    '{"json":5}',
    '{"json":"/a/","meta":{"values":["regexp"]}}',
    '{"json":{"message":"m","stack":"\\u001b[31m"},"meta":{"values":["Error"]}}',
    '{"json":{},"meta":{"values":[["class","Point"]]}}',
    '{"json":{"a":{"b":"/x/"}},"meta":{"values":{"a.b":["regexp"]}}}',
    `{"json":["${'a'.repeat(2000)}",""],"meta":{"values":[["custom","JSRegExp"]]}}`,
    '{"json":["(",""],"meta":{"values":[["custom","JSRegExp"]]}}',
    '{"json":5,"meta":{"values":[["custom","JSError"]]}}',
    '{"json":5,"meta":{"values":[["custom","nobody"]]}}',
    '{"json":{"a":1},"meta":{"values":{"__proto__.x":["Date"]}}}',
    `{"json":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  ])('that is malformed is refused: %#', (document) => {
    expect(() => load(document)).toThrow(LoadError)
  })

  it('cannot change the prototype of an error', () => {
    const own =
      '{"json":{"name":"Error","message":"m","own":{"__proto__":{"admin":true}}},"meta":{"values":[["custom","JSError"]]}}'
    const error = load(own) as Record<string, unknown>
    expect(error['admin']).toBeUndefined()
    expect(error).toBeInstanceOf(Error)
  })

  it.each([
    ['a host that is long', document(`http://${'日'.repeat(400)}/`, ['URL'])],
    ['a host behind what URLs leave out', document(` ht\ntp:\\\\${'日'.repeat(400)}/`, ['URL'])],
    ['an int that is long', document('9'.repeat(5000), ['bigint'])],
    ['numbers that clash', document(clashing, ['set', members])],
    [
      'keys that clash',
      document(
        clashing.map((text) => [text, 1]),
        ['map', Object.fromEntries(clashing.map((_, at) => [`${at}.0`, ['bigint']]))],
      ),
    ],
    ['a pattern in a list', document([['a'.repeat(2000)], ''], [['custom', 'JSRegExp']])],
    ['paths that lead nowhere', document({}, [undefined, { 'a.a.a': ['Date'] }])],
    [
      'more than it may take',
      document(
        Array.from({ length: 10_000 }, () => []),
        ['set'],
      ),
    ],
    ['values that take more than it may', document([python, python], [undefined, { 0: [custom], 1: [custom] }])],
  ])('with %s is refused', (_, text) => {
    expect(() => decode(dumps(new JSValue(text)), { maxMemory: 2 ** 20 })).toThrow(LoadError)
  })

  it('keeps what a Set shares with others', () => {
    const shared = [new Date(0), new Date(1)]
    const { all, set } = loads(
      dumps(Object.assign(new Error('x'), { all: shared, set: new Set(shared) })),
    ) as unknown as {
      all: Date[]
      set: Set<Date>
    }
    expect([...set]).toStrictEqual(shared)
    expect(set.has(all[1] as Date)).toBe(true)
  })

  it('arrives as a JSValue where no codec is set', () => {
    setJavaScriptCodec(undefined)
    expect(loads(dumps(new JSValue('{"json":1}')))).toStrictEqual(new JSValue('{"json":1}'))
    useSuperjson()
  })
})
