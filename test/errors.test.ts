// What a caller can rely on in an error: its code, its class across installs, its message, its stack.
import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import {
  AuthenticationError,
  BootstrapError,
  ChannelClosedError,
  DumpError,
  EndOfChannelError,
  GatewayClosedError,
  HostKeyError,
  HostNotFoundError,
  LoadError,
  ProtocolError,
  RemoteError,
  remoteErrorFrom,
  remoteFailureFrom,
  TendrilError,
  TimeoutError,
  XSpecError,
} from '../src/errors.js'
import { dumps, loads } from '../src/protocol/codec.js'
import { errorOf } from './failing.js'

const wireError = {
  type: 'ValueError',
  module: 'builtins',
  message: '17',
  args: ['17'],
  traceback: 'Traceback (most recent call last):\n  File "job.py", line 3, in work\n    fail()\nValueError: 17\n',
  frames: [{ file: 'job.py', line: 3, name: 'work', text: 'fail()' }],
  cause: null,
}

type ErrorClass = new (message: string, options: { readonly cause: unknown }) => TendrilError

const codes: readonly (readonly [ErrorClass, name: string, code: string])[] = [
  [EndOfChannelError, 'EndOfChannelError', 'ERR_END_OF_CHANNEL'],
  [ChannelClosedError, 'ChannelClosedError', 'ERR_CHANNEL_CLOSED'],
  [TimeoutError, 'TimeoutError', 'ERR_TIMEOUT'],
  [LoadError, 'LoadError', 'ERR_LOAD'],
  [XSpecError, 'XSpecError', 'ERR_XSPEC'],
  [HostNotFoundError, 'HostNotFoundError', 'ERR_HOST_NOT_FOUND'],
  [BootstrapError, 'BootstrapError', 'ERR_BOOTSTRAP'],
  [GatewayClosedError, 'GatewayClosedError', 'ERR_GATEWAY_CLOSED'],
  [ProtocolError, 'ProtocolError', 'ERR_PROTOCOL'],
  [AuthenticationError, 'AuthenticationError', 'ERR_AUTHENTICATION'],
  [HostKeyError, 'HostKeyError', 'ERR_HOST_KEY'],
]

describe('every error', () => {
  it.each(codes)('$1 has the code $2, its name and its cause', (errorClass, name, code) => {
    const cause = new Error('why')
    const error = new errorClass('it failed', { cause })
    expect(error).toMatchObject({ name, code, message: 'it failed', cause })
    expect(error.stack).toMatch(new RegExp(`^${name}: it failed\\n`))
    expect(error).toBeInstanceOf(TendrilError)
    expect(error).toBeInstanceOf(errorClass)
  })

  it.each(codes.filter(([, name]) => /^(Load|XSpec|Host|Bootstrap|GatewayClosed|Protocol|Authentication)/.test(name)))(
    '$1 that quotes what nobody has checked is one line, and moves no cursor',
    (errorClass) => {
      expect(new errorClass('it said "a\nb\u009bc\u007fd"', { cause: undefined }).message).toBe(
        'it said "a\\nb\\x9bc\\x7fd"',
      )
    },
  )

  it('is not an instance of a sibling class, and nothing else is an instance of it', () => {
    expect(new TimeoutError('late')).not.toBeInstanceOf(DumpError)
    for (const value of [new Error('late'), null, undefined, 'late', {}]) {
      expect(value instanceof TimeoutError).toBe(false)
      expect(value instanceof TendrilError).toBe(false)
    }
  })

  it('is recognised by the classes of a second install', async () => {
    vi.resetModules()
    const second = await import('../src/errors.js')
    expect(second.TimeoutError).not.toBe(TimeoutError)
    expect(new TimeoutError('late')).toBeInstanceOf(second.TimeoutError)
    expect(new TimeoutError('late')).toBeInstanceOf(second.TendrilError)
    expect(new TimeoutError('late')).not.toBeInstanceOf(second.LoadError)
  })

  it('can be extended by a user, whose class has only its own instances', () => {
    class SlowHostError extends TimeoutError {}
    expect(new SlowHostError('late')).toBeInstanceOf(SlowHostError)
    expect(new SlowHostError('late')).toBeInstanceOf(TimeoutError)
    expect(new TimeoutError('late')).not.toBeInstanceOf(SlowHostError)
  })

  it('carries the details of its class', () => {
    expect(new DumpError('cannot send item[3]', { path: 'item[3]' })).toMatchObject({
      code: 'ERR_DUMP',
      path: 'item[3]',
    })
    expect(new GatewayClosedError('gone', { signal: 'SIGKILL' })).toMatchObject({ signal: 'SIGKILL', stderrTail: '' })
    expect(new BootstrapError('no', { exitCode: 127, tried: ['python9'], stderrTail: 'not found' })).toMatchObject({
      exitCode: 127,
      tried: ['python9'],
      noise: '',
      stderrTail: 'not found',
    })
  })

  it('says how far the way to a worker went', () => {
    expect(new HostNotFoundError('no answer').phase).toBe('connect')
    expect(new HostNotFoundError('no such name', { phase: 'resolve' }).phase).toBe('resolve')
    expect(new BootstrapError('no python').phase).toBe('python')
    expect(new BootstrapError('no session', { phase: 'channel' }).phase).toBe('channel')
    expect(new AuthenticationError('refused').phase).toBe('authenticate')
    expect(new HostKeyError('changed').phase).toBe('host key')
  })

  it('says what a host offered and what it was shown, and the fingerprint of its key', () => {
    const tried = ['publickey ~/.ssh/id_ed25519']
    expect(new AuthenticationError('refused', { offered: ['publickey'], tried })).toMatchObject({
      offered: ['publickey'],
      tried,
    })
    expect(new AuthenticationError('refused')).toMatchObject({ offered: [], tried: [] })
    expect(new HostKeyError('changed', { fingerprint: 'SHA256:abc' }).fingerprint).toBe('SHA256:abc')
    expect(new HostKeyError('changed').fingerprint).toBe('')
  })
})

describe('RemoteError', () => {
  it('tells the type, module, args, frames and traceback of the exception', () => {
    const error = remoteErrorFrom(wireError, 'gw0')
    const { type, module, args, frames, traceback } = wireError
    expect(error).toMatchObject({ code: 'ERR_REMOTE', message: 'ValueError: 17', gatewayId: 'gw0' })
    expect(error).toMatchObject({ type, module, args, frames, traceback })
  })

  it("has a stack that shows the caller's async frames, then the remote traceback", async () => {
    const failure = remoteFailureFrom(wireError, 'gw0')
    async function receive(): Promise<never> {
      await Promise.resolve()
      throw new RemoteError(failure)
    }
    async function userCode(): Promise<void> {
      await receive()
    }
    const error = await errorOf(userCode())
    const { stack = '' } = error as RemoteError
    expect(stack).toMatch(/^RemoteError: ValueError: 17\n\s+at receive .*\n(.*\n)*\s+at (async )?userCode /)
    expect(stack).toMatch(/\n--- remote traceback \(gw0\) ---\nTraceback [\s\S]*ValueError: 17$/)
  })

  it('is no failure when it is an exit as that of a program that is done, of which no more is read than that takes', () => {
    const peaceful = (...args: Uint8Array[]): [isPeaceful: boolean, read: number] => {
      let read = 0
      const wire = { ...wireError, type: 'SystemExit', args }
      const failure = remoteFailureFrom(wire, 'gw0', (argument) => {
        read++
        return loads(argument as Uint8Array)
      })
      return [failure.isPeacefulExit, read]
    }
    expect(peaceful()).toEqual([true, 0])
    expect(peaceful(dumps(0))).toEqual([true, 1])
    expect(peaceful(dumps(null))).toEqual([true, 1])
    expect(peaceful(dumps(3))).toEqual([false, 1])
    expect(peaceful(dumps('x'.repeat(100)))).toEqual([false, 0])
    expect(peaceful(dumps(0), dumps(0))).toEqual([false, 0])
  })

  it('of a close with a text has exactly that text', () => {
    const text = 'out of paper\n(tray 2)'
    const error = remoteErrorFrom(text, 'gw0')
    expect(error).toMatchObject({ message: text, traceback: text, type: '', module: '', args: [], frames: [] })
    expect(error.stack).not.toContain('remote traceback')
  })

  it('has a message of one line whatever the exception said', () => {
    expect(remoteErrorFrom({ ...wireError, message: '' }, 'gw0').message).toBe('ValueError')
    expect(remoteErrorFrom({ ...wireError, message: 'a\r\nb' }, 'gw0').message).toBe('ValueError: a …')
  })

  it('has the cause of the exception as its cause, without repeating our own frames', () => {
    const cause = { ...wireError, type: 'KeyError', message: "'x'" }
    const error = remoteErrorFrom({ ...wireError, cause }, 'gw0')
    expect(error.cause).toBeInstanceOf(RemoteError)
    expect(error.cause).toMatchObject({ message: "KeyError: 'x'" })
    expect((error.cause as RemoteError).stack).not.toMatch(/^\s+at /m)
  })

  it('prints its fields once', () => {
    expect(inspect(remoteErrorFrom(wireError, 'gw0')).match(/Traceback/g)).toHaveLength(1)
  })

  it.each([
    ['nothing', null],
    ['a number', 17],
    ['a list', ['ValueError']],
    ['an empty dict', {}],
    ['fields of other types', { type: 1, module: [], message: {}, args: 'x', traceback: 7, frames: {}, cause: 'y' }],
    ['frames that are none', { ...wireError, frames: [null, 1, {}, { file: 2, line: 'x' }] }],
  ])('is made of %s without throwing', (_, reason) => {
    const error = remoteErrorFrom(reason, 'gw0')
    expect(error.message).not.toBe('')
    expect(error.traceback).not.toBe('')
    for (const frame of error.frames) {
      expect(frame).toEqual({ file: expect.any(String), line: expect.any(Number), name: '', text: '' })
    }
  })

  it('ends a chain of causes that never ends', () => {
    const endless: Record<string, unknown> = { ...wireError }
    endless['cause'] = endless
    let depth = 0
    for (let error: unknown = remoteErrorFrom(endless, 'gw0'); error instanceof RemoteError; error = error.cause)
      depth++
    expect(depth).toBeLessThan(20)
  })
})
