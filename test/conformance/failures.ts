// What a controller learns when remote code raises, and that a failure costs nothing but its channel.
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { DumpError, EndOfChannelError, RemoteError } from '../../src/index.js'
import { errorOf, remoteErrorOf } from '../failing.js'
import type { Subject } from './subject.js'

const failing = fileURLToPath(new URL('../fixtures/raises_on_line_3.py', import.meta.url))

export function failureSuite(subject: Subject): void {
  const failureOf = async (source: string): Promise<RemoteError> =>
    remoteErrorOf(subject.gateway.remoteExec(source).waitClose())

  it('tells the type, the message, the arguments and the text of Python’s traceback', async () => {
    const error = await failureOf('raise ValueError("17", 2)')
    expect(error).toMatchObject({
      code: 'ERR_REMOTE',
      type: 'ValueError',
      module: subject.isPython2 ? 'exceptions' : 'builtins',
    })
    expect([...error.args]).toEqual(['17', 2])
    expect(error.traceback).toMatch(/^Traceback \(most recent call last\):\n/)
    expect((await failureOf('raise ValueError("17")')).message).toBe('ValueError: 17')
  })

  it('shows the user’s file and line and nothing of tendril’s in the traceback', async () => {
    const error = await remoteErrorOf(subject.gateway.remoteExec({ file: failing }).waitClose())
    expect(error.frames).toEqual([
      { file: failing, line: 6, name: '<module>', text: 'fail()' },
      { file: failing, line: 3, name: 'fail', text: "raise ValueError('17')" },
    ])
    expect(error.traceback).toContain(`File "${failing}", line 3, in fail\n    raise ValueError('17')`)
    expect(error.traceback).not.toContain('tendril>')
  })

  it('shows the line of a source that came as text', async () => {
    const error = await remoteErrorOf(subject.gateway.remoteExec({ text: '\n\n1 / 0', name: 'my task' }).waitClose())
    expect(error.frames).toEqual([{ file: 'my task', line: 3, name: '<module>', text: '1 / 0' }])
  })

  it('shows the caller’s own async functions in the stack, then the remote traceback', async () => {
    async function gatherTheResults(): Promise<unknown> {
      return await subject.gateway.remoteExec('raise ValueError("17")').receive()
    }
    const error: unknown = await errorOf(gatherTheResults())
    expect((error as Error).stack).toMatch(
      /^RemoteError: ValueError: 17\n[\s\S]*gatherTheResults[\s\S]*Traceback \(most recent call last\)/,
    )
  })

  it('delivers items first and then the same failure every time, to receive and to waitClose', async () => {
    const channel = subject.gateway.remoteExec('channel.send(42); raise KeyError("gone")')
    expect(await channel.receive()).toBe(42)
    for (let asked = 0; asked < 3; asked++) {
      await expect(channel.receive()).rejects.toMatchObject({ type: 'KeyError' })
      await expect(channel.waitClose()).rejects.toMatchObject({ type: 'KeyError' })
    }
  })

  it('reports a syntax error with its line', async () => {
    const error = await failureOf('x = 1\nx = = 2')
    expect(error.type).toBe('SyntaxError')
    expect(error.traceback).toContain('line 2')
  })

  it.each(['SystemExit(3)', 'KeyboardInterrupt()', 'EOFError("mine")'])(
    'survives %s and reports it',
    async (raised) => {
      const pid = subject.gateway.remoteExec('import os; channel.send(os.getpid())')
      expect((await failureOf(`raise ${raised}`)).message).toContain(raised.replace(/\(.*/, ''))
      const later = subject.gateway.remoteExec('import os; channel.send(os.getpid())')
      expect(await later.receive()).toBe(await pid.receive())
    },
  )

  it('carries the causes of an exception', async () => {
    if (subject.isPython2) return // its exceptions have none
    const error = await failureOf('try:\n    {}["a"]\nexcept KeyError as e:\n    raise ValueError("no a") from e')
    expect(error.cause).toBeInstanceOf(RemoteError)
    expect(error.cause).toMatchObject({ type: 'KeyError' })
  })

  it('carries arguments that cannot be sent as their repr', async () => {
    const error = await failureOf('raise ValueError(1, object())')
    expect(error.args[0]).toBe(1)
    expect(error.args[1]).toMatch(/^<object object at 0x/)
  })

  it('makes one line of a message of several', async () => {
    expect((await failureOf('raise ValueError("one\\ntwo")')).message).toBe('ValueError: one …')
  })

  it('survives an exception that cannot be turned into text', async () => {
    const error = await failureOf('class Mute(Exception):\n    def __str__(self): raise KeyError(1)\nraise Mute()')
    expect(error.type).toBe('Mute')
  })

  it('names the function and the argument that a function lacks', async () => {
    const error = await remoteErrorOf(
      subject.gateway.remoteExec({ text: 'def task(channel, n): pass', function: 'task' }).waitClose(),
    )
    expect(error.message).toMatch(/^TypeError: task\(\)/)
    const absent = await remoteErrorOf(subject.gateway.remoteExec({ text: 'pass', function: 'nothing' }).waitClose())
    expect(absent.message).toContain('nothing')
  })

  it('refuses a value without a wire type with its path, and the channel stays usable', async () => {
    const channel = subject.gateway.remoteExec('channel.send(channel.receive())')
    const error: unknown = await errorOf(channel.send({ users: [{}, { avatar: new WeakMap() }] }))
    expect(error).toBeInstanceOf(DumpError)
    expect(error).toMatchObject({ path: 'item.users[1].avatar' })
    await channel.send('fine')
    expect(await channel.receive()).toBe('fine')
  })

  it('raises DumpError with the path in the worker, and the channel stays usable', async () => {
    const channel = subject.gateway.remoteExec(`
      try:
          channel.send({'users': [1, {'avatar': object()}]})
      except Exception as e:
          channel.send([type(e).__name__, str(e)])
    `)
    const [type, message] = (await channel.receive()) as [string, string]
    expect(type).toBe('DumpError')
    expect(message).toMatch(/^cannot send item.*users.*1.*avatar/)
    await expect(channel.receive()).rejects.toThrow(EndOfChannelError)
  })
}
