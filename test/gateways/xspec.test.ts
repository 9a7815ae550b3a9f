// The grammar of an xspec, its errors, and the property every key becomes.
import { describe, expect, expectTypeOf, it } from 'vitest'
import { XSpecError } from '../../src/errors.js'
import { XSpec } from '../../src/specs/xspec.js'
import { propertyOf, xspecKeys } from '../../src/specs/xspec-keys.js'

function errorOf(text: string): Error {
  try {
    XSpec.parse(text)
  } catch (error) {
    if (error instanceof XSpecError) return error
    throw error
  }
  throw new Error(`"${text}" was accepted`)
}

describe('XSpec.parse', () => {
  it.each([
    ['popen', { popen: true, python: undefined, dontWriteBytecode: false }],
    ['popen//python=python3.12//nice=5', { popen: true, python: 'python3.12', nice: 5 }],
    ['popen//nice=-5', { nice: -5 }],
    ['popen//dont_write_bytecode//id=w1', { dontWriteBytecode: true, id: 'w1' }],
    ['popen//execmodel=main_thread_only', { execmodel: 'main_thread_only' }],
    ['socket=1.2.3.4:8888//python=c:/x//chdir=d:\\h', { socket: '1.2.3.4:8888', python: 'c:/x', chdir: 'd:\\h' }],
    ['ssh=-p 22100 user@host//ssh_config=~/c', { ssh: '-p 22100 user@host', sshConfig: '~/c' }],
    ['vagrant_ssh=box//via=gw0', { vagrantSsh: 'box', via: 'gw0' }],
    ['socket=:0//installvia=gw0', { socket: ':0', installvia: 'gw0' }],
    ['ws=wss://host/path//id=w1', { ws: 'wss://host/path', id: 'w1' }],
    ['chdir=/tmp///popen', { chdir: '/tmp/', popen: true }],
    ['popen//chdir=a=b', { chdir: 'a=b' }],
  ])('reads %s', (text, properties) => {
    expect(XSpec.parse(text)).toMatchObject(properties)
  })

  it.each([
    ['15s', 15_000],
    ['500ms', 500],
    ['250', 250],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1000h', 3_600_000_000],
    ['Infinity', Number.POSITIVE_INFINITY],
  ])('reads timeout=%s as %i milliseconds', (text, timeout) => {
    expect(XSpec.parse(`popen//timeout=${text}`).timeout).toBe(timeout)
  })

  it('collects variables, with what follows the first = as the value', () => {
    const { env } = XSpec.parse('popen//env:A=b=c//env:EMPTY=//env:__proto__=x//env:URL=http://host/x')
    expect(Object.entries(env)).toEqual([
      ['A', 'b=c'],
      ['EMPTY', ''],
      ['__proto__', 'x'],
      ['URL', 'http://host/x'],
    ])
    expect(XSpec.parse('popen').env).toEqual({})
  })

  it('gives the text back unchanged', () => {
    const text = 'popen//python=python3//env:A=1'
    expect(String(XSpec.parse(text))).toBe(text)
  })

  it.each([
    ['popen//env:A*=a%2F%2Fb%20%F0%9F%8E%89', { env: { A: 'a//b 🎉' } }],
    ['popen//env:A*=a b/ü+', { env: { A: 'a b/ü+' } }],
    ['popen//chdir*=%2F%2Fserver', { chdir: '//server' }],
    ['ssh*=fe80%3A%3A//id=x', { ssh: 'fe80::', id: 'x' }],
    ['popen//nice*=%35', { nice: 5 }],
    ['popen//roots*=a%2Cb,c%20', { roots: ['a,b', 'c '] }],
    ['popen//roots= a , b,,c', { roots: ['a', 'b', 'c'] }],
  ])('reads percent-encoded UTF-8 and lists: %s', (text, properties) => {
    expect(XSpec.parse(text)).toMatchObject(properties)
  })

  it('reads a count, of gateways like it', () => {
    expect(XSpec.parse('3*popen//nice=5')).toMatchObject({ count: 3, popen: true, nice: 5 })
    expect(XSpec.parse('popen').count).toBe(1)
  })

  it('gives each key a property of its own type', () => {
    const spec = XSpec.parse('popen')
    expectTypeOf(spec.popen).toEqualTypeOf<boolean>()
    expectTypeOf(spec.dontWriteBytecode).toEqualTypeOf<boolean>()
    expectTypeOf(spec.nice).toEqualTypeOf<number | undefined>()
    expectTypeOf(spec.sshConfig).toEqualTypeOf<string | undefined>()
    expectTypeOf(spec.execmodel).toEqualTypeOf<'thread' | 'main_thread_only' | undefined>()
    expect(Object.keys(spec)).toEqual(expect.arrayContaining([...xspecKeys.keys()].map(propertyOf)))
  })
})

describe('XSpec.parse refuses', () => {
  it.each([
    ['popen//pyhton=python3', 'unknown key "pyhton" in "popen//pyhton=python3"; did you mean "python"?'],
    ['Popen', 'unknown key "Popen" in "Popen"; did you mean "popen"?'],
    ['popen//dontWriteBytecode', 'did you mean "dont_write_bytecode"?'],
    ['popen//environment=x', 'the keys are popen, ssh,'],
    ['popen//constructor=x', 'unknown key "constructor"'],
    ['popen//popen', 'duplicate key "popen" in "popen//popen"'],
    ['popen//popen=123', 'duplicate key "popen"'],
    ['popen//env:A=1//env:A=2', 'duplicate key "env:A"'],
    ['popen//_x=1', 'key "_x" in "popen//_x=1" begins with "_"'],
    ['', 'an xspec cannot be empty; write "popen"'],
    ['popen//', 'a key is missing in "popen//"'],
    ['//popen', 'a key is missing in "//popen"'],
    ['popen//=x', 'a key is missing'],
    ['popen=python3', '"popen" takes no value in "popen=python3"; write "popen"'],
    ['popen//python', '"python" has no value in "popen//python"; write "python=…"'],
    ['popen//python=', '"python" has no value'],
    ['popen//env:A', '"env:A" has no value in "popen//env:A"; write "env:A=value"'],
    ['popen//env:=x', '"env:" names no variable in "popen//env:=…"; write "env:NAME=value"'],
    ['popen//nice=fast', '"nice" must be a whole number, not "fast", in "popen//nice=fast"'],
    ['popen//nice=1.5', '"nice" must be a whole number'],
    ['popen//execmodel=gevent', '"execmodel" must be thread or main_thread_only, not "gevent"'],
    ['popen//timeout=soon', '"timeout" must be a time such as 15s'],
    ['popen//timeout=0', '"timeout" must be a time'],
    ['popen//chdir=a\0b', 'has a NUL character'],
    ['popen//chdir*=a%00b', '"chdir*" in "popen//chdir*=a%00b" has a NUL character'],
    ['popen//chdir=a\ud800b', 'has half of a surrogate pair'],
    ['popen//chdir*=a%2', '"chdir*" is not percent-encoded UTF-8'],
    ['popen//chdir*=%ff', '"chdir*" is not percent-encoded UTF-8'],
    ['popen//chdir*=%c0%80', '"chdir*" is not percent-encoded UTF-8'],
    ['popen//chdir**=x', 'key "chdir*" in "popen//chdir**=x" ends with "*"'],
    ['popen//env:A**=x', 'key "env:A*" in "popen//env:A*=…" ends with "*"'],
    ['popen//env:*=x', '"env:" names no variable'],
    ['popen*', '"popen" takes no value'],
    ['popen//chdir*', '"chdir" has no value'],
    ['socket*', '"socket" has no value'],
    ['popen//chdir=a//chdir*=b', 'duplicate key "chdir"'],
    ['100000*popen', 'the count in "100000*popen" must be from 1 to 10000'],
  ])('%j', (text, message) => {
    expect(errorOf(text).message).toContain(message)
    expect(errorOf(text).message).not.toContain('\n')
  })
})

describe('XSpec.expand', () => {
  it('repeats a spec with a count, and leaves another alone', () => {
    expect(XSpec.expand('3*popen//nice=5')).toEqual(['popen//nice=5', 'popen//nice=5', 'popen//nice=5'])
    expect(XSpec.expand('popen//python=/opt/2*x')).toEqual(['popen//python=/opt/2*x'])
  })

  it.each(['0*popen', '100000000*popen', '3*'])('refuses %s', (text) => {
    expect(() => XSpec.expand(text)).toThrow(XSpecError)
  })
})
