// What a worker's threads do, and what the last exception left behind.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, Group, TimeoutError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { eventually } from '../waiting.js'
import { begin, gatewayToAbort } from './aborting.js'
import { pythons } from './pythons.js'

const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

describe.each(pythons)('on $name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await gatewayToAbort(group, `python=${command}//threads=2`)
  })

  it('stacks shows every thread, also while the main one is in a busy loop', async () => {
    const busy = await begin(gateway, 'busy')
    const beside = await begin(gateway, 'waits')
    const task = gateway.remoteExec('def inner():\n    channel.send(1)\n    channel.receive()\ninner()')
    await task.receive()
    // An item is here before the code that sent it has come to its next line.
    await eventually(async () => {
      const threads = await gateway.stacks()
      const [main] = threads
      expect(main).toMatchObject({ name: 'MainThread', isMain: true, performing: 'call busy', omitted: 0 })
      expect(main?.frames).toHaveLength(1)
      expect(main?.frames[0]).toMatchObject({ name: 'busy', file: expect.stringMatching(/aborted\.py$/) as string })
      expect(threads.find(({ performing }) => performing === 'call waits')?.frames[0]).toMatchObject({
        text: 'begun.receive()',
      })
      const executing = threads.find(({ performing }) => performing === 'exec of <remote exec>')
      expect(executing?.frames.slice(0, 2)).toMatchObject([
        { name: '<module>', line: 4, text: 'inner()' },
        { name: 'inner', line: 3, text: 'channel.receive()' },
      ])
      expect(threads.filter(({ name }) => name.startsWith('tendril: ')).length).toBeGreaterThan(1)
    })
    await task.close()
    await busy.abort()
    await beside.abort()
  })

  it('postMortem has the frames, their variables and the causes', async () => {
    await gateway.execute({
      text: `
        def divide(numerator, denominator):
            words = list('ab') * 100
            return numerator // denominator
        def outer(value):
            class Unprintable(object):
                def __repr__(self): raise KeyError('no')
            odd = Unprintable()
            return divide(value, 0)`,
      name: 'arithmetic.py',
    })
    await errorOf(gateway.call('outer', [7]))
    const state = await gateway.postMortem()
    expect(state).toMatchObject({
      type: 'ZeroDivisionError',
      message: expect.stringContaining('ZeroDivisionError: ') as string,
    })
    expect(state?.frames.map(({ file, name, line, text }) => [file, name, line, text])).toEqual([
      ['arithmetic.py', 'outer', 9, 'return divide(value, 0)'],
      ['arithmetic.py', 'divide', 4, 'return numerator // denominator'],
    ])
    expect(state?.frames[0]?.locals).toMatchObject({ value: '7', odd: expect.stringMatching(/^<.*>$/) as string })
    expect(state?.frames[1]?.locals).toMatchObject({ numerator: '7', denominator: '0' })
    expect(state?.frames[1]?.locals['words']?.length).toBeLessThan(200)
  })

  it('postMortem keeps the last one only, of execs too', async () => {
    await errorOf(gateway.call('nothing.there'))
    await errorOf(gateway.remoteExec('kept = 12; raise ValueError("x" * 100000)').waitClose())
    const state = await gateway.postMortem()
    expect(state?.type).toBe('ValueError')
    expect(state?.frames).toMatchObject([{ file: '<remote exec>', line: 1, locals: { kept: '12' } }])
  })
})

describe('the state of an exception', () => {
  it('is undefined when there was none', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    expect(await gateway.postMortem()).toBeUndefined()
  })

  it('has what it was raised from, with the variables there', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    await gateway.execute(
      'def find(key):\n  try:\n    table = {}\n    return table[key]\n  except KeyError as e:\n    raise LookupError("none") from e',
    )
    await errorOf(gateway.call('find', ['k']))
    const state = await gateway.postMortem()
    expect(state).toMatchObject({
      type: 'LookupError',
      cause: { type: 'KeyError', frames: [{ locals: { key: "'k'", table: '{}' } }] },
    })
  })

  it('stays small when the stack and the variables are not', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    await gateway.execute('def deep(n):\n  data = [str(n) * 1000] * 1000\n  return deep(n + 1)')
    expect(await errorOf(gateway.call('deep', [0]))).toMatchObject({ type: 'RecursionError' })
    const state = await gateway.postMortem()
    expect(state?.frames.length).toBeGreaterThan(900)
    expect(JSON.stringify(state).length).toBeLessThan(2_000_000)
    expect(state?.frames.at(-3)?.locals['data']).toMatch(/^\['9/)
  })
})

describe('stacks', () => {
  it('takes a timeout: while C code holds the interpreter nothing is told', async () => {
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    const began = gateway.remoteExec("import re; channel.send(1); re.match('(a+)+b', 'a' * 40)")
    await began.receive()
    expect(await errorOf(gateway.stacks({ timeout: 200 }))).toBeInstanceOf(TimeoutError)
    await gateway.terminate({ timeout: 0 })
  })
})
