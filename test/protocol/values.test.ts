// The golden vectors: a row proves a value in both languages and both directions. `portable` and `framed` are what
// TypeScript writes, `pickled` what CPython 3.11 writes, by protocol. Rows are added by hand without them;
// `TENDRIL_RECORD=1` has them recorded.
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../src/protocol/codec.js'
import * as times from '../../src/protocol/times.js'
import * as values from '../../src/protocol/values.js'
import { anyInterpreter, type Interpreter, interpreters } from '../interpreters.js'
import { fromHex, PythonPeer, toHex } from './python-peer.js'

interface Row {
  readonly name: string
  /** The value in JavaScript, and in Python. */
  readonly js: string
  readonly python: string
  /** What arrives from Python, and in Python, where that is something else. */
  readonly gives?: string
  readonly back?: string
  /** What an interpreter must have. */
  readonly needs?: keyof typeof abilities
  portable?: string
  framed?: string
  pickled?: Record<string, string>
}

const dialects = ['portable', 'framed'] as const
const file = new URL('../vectors/values.json', import.meta.url)
const rows: Row[] = JSON.parse(readFileSync(file, 'utf8'))
const abilities = {
  python2: ({ name }: Interpreter) => name === 'CPython 2.7',
  python3: ({ name }: Interpreter) => name !== 'CPython 2.7',
  dataclasses: ({ name }: Interpreter) => !/ (2\.7|3\.6)$/.test(name),
  zoneinfo: ({ name }: Interpreter) => / 3\.(9|\d\d)$/.test(name),
  numpy: () => false,
}

function evaluate(expression: string): unknown {
  const scope = { ...values, ...times }
  return new Function(...Object.keys(scope), `return ${expression}`)(...Object.values(scope))
}

async function rowsFor(interpreter: Interpreter, peer: PythonPeer): Promise<Row[]> {
  const [number] = await peer.ask({ dump: ['numpy.int8(1)'] })
  const can = { ...abilities, numpy: () => typeof number === 'object' }
  return rows.filter(({ needs }) => needs === undefined || can[needs](interpreter))
}

if (process.env['TENDRIL_RECORD'] === '1') {
  await using peer = new PythonPeer(anyInterpreter().command)
  const pickled = await peer.ask({ dump: rows.map(({ python }) => python) })
  for (const [i, row] of rows.entries()) {
    row.portable = toHex(encode(evaluate(row.js), { protocol: 2 }))
    row.framed = toHex(encode(evaluate(row.js), { protocol: 5 }))
    if (typeof pickled[i] === 'object') row.pickled = pickled[i] as Record<string, string>
  }
  writeFileSync(file, `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`)
}

describe.each(rows)('$name', ({ js, gives = js, portable, framed, pickled = {} }) => {
  it('is written as recorded', () => {
    expect(toHex(encode(evaluate(js), { protocol: 2 }))).toBe(portable)
    expect(toHex(encode(evaluate(js), { protocol: 5 }))).toBe(framed)
  })

  it('is read from what Python wrote', () => {
    for (const payload of Object.values(pickled)) expect(decode(fromHex(payload))).toStrictEqual(evaluate(gives))
  })
})

describe.each(interpreters())('$name', (interpreter) => {
  it('reads every vector as the value it had', async () => {
    await using peer = new PythonPeer(interpreter.command)
    const able = await rowsFor(interpreter, peer)
    for (const dialect of interpreter.name === 'CPython 2.7' ? (['portable'] as const) : dialects) {
      const load = able.map((row) => row[dialect])
      const differences = await peer.ask({ load, expect: able.map(({ python, back = python }) => back) })
      expect(named(able, differences)).toEqual({})
    }
  })

  it('writes every value so that it arrives', async () => {
    await using peer = new PythonPeer(interpreter.command)
    const able = await rowsFor(interpreter, peer)
    for (const [i, payloads] of (await dump(peer, able)).entries()) {
      const { name, js, gives = js } = able[i]!
      for (const payload of payloads) expect(decode(payload), name).toStrictEqual(evaluate(gives))
    }
  })

  it('takes back what it wrote', async () => {
    await using peer = new PythonPeer(interpreter.command)
    const able = (await rowsFor(interpreter, peer)).filter(
      ({ gives, back }) => gives === undefined && back === undefined,
    )
    const load = (await dump(peer, able)).map(([payload]) => toHex(encode(decode(payload!), { protocol: 2 })))
    expect(named(able, await peer.ask({ load, expect: able.map(({ python }) => python) }))).toEqual({})
  })
})

async function dump(peer: PythonPeer, of: readonly Row[]): Promise<Uint8Array[][]> {
  const answers = await peer.ask({ dump: of.map(({ python }) => python) })
  return answers.map((answer, i) => {
    if (typeof answer !== 'object' || answer === null) throw new Error(`${of[i]?.name}: ${answer}`)
    return Object.values(answer).map((hex) => fromHex(String(hex)))
  })
}

function named(of: readonly Row[], differences: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(
    of.map(({ name }, i) => [name, differences[i]]).filter(([, difference]) => difference !== null),
  )
}
