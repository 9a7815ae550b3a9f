// The grammar of an xspec, its errors, and the property every key becomes.
import { describe, expect, expectTypeOf, it } from 'vitest'
import { XSpecError } from '../../src/errors.js'
import { XSpec } from '../../src/gateways/xspec.js'
import { propertyOf, xspecKeys } from '../../src/gateways/xspec-keys.js'

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
    expect(JSON.stringify({ spec: XSpec.parse(text) })).toBe(`{"spec":"${text}"}`)
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
    ['popen//env:=x', '"env:" names no variable in "popen//env:=x"; write "env:NAME=value"'],
    ['popen//nice=fast', '"nice" must be a whole number, not "fast", in "popen//nice=fast"'],
    ['popen//nice=1.5', '"nice" must be a whole number'],
    ['popen//execmodel=gevent', '"execmodel" must be thread or main_thread_only, not "gevent"'],
    ['popen//timeout=soon', '"timeout" must be a time such as 15s'],
    ['popen//timeout=0', '"timeout" must be a time'],
    ['popen//timeout=99999m', '"timeout" must be a time'],
    ['popen//chdir=a\0b', 'has a NUL character'],
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
