// What functions of the user's throw may be anything at all: whoever waits is told, and all else goes on.
import { runInNewContext } from 'node:vm'
import { afterAll, expect, it } from 'vitest'
import { Group, RemoteError } from '../src/index.js'
import { asError } from '../src/thrown.js'
import { errorOf } from './failing.js'
import { anyInterpreter } from './interpreters.js'

const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

function refuse(): never {
  throw new Error('refused')
}

const revoked = Proxy.revocable({}, {})
revoked.revoke()
const things: readonly (readonly [string, unknown])[] = [
  ['an object without a prototype', Object.create(null)],
  ['a proxy that refuses', new Proxy({}, { get: refuse, getPrototypeOf: refuse })],
  ['a proxy that was revoked', revoked.proxy],
  ['an error whose message refuses', Object.defineProperty(new Error('no'), 'message', { get: refuse })],
  ['an error whose name is a symbol', Object.assign(new Error('no'), { name: Symbol('name') })],
  ['a symbol', Symbol('thrown')],
  ['undefined', undefined],
  ['a function', refuse],
]

it.each(things)('fails the call of a function that throws %s, and no other', async (_, thrown) => {
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  const throws = (): never => {
    throw thrown
  }
  expect(await errorOf(gateway.eval('f()', { f: throws }))).toBeInstanceOf(RemoteError)
  expect(await errorOf(gateway.eval('f()', { f: () => Promise.reject(thrown) }))).toBeInstanceOf(RemoteError)
  expect(await gateway.call('len', ['abc'])).toBe(3)
  const channel = gateway.remoteExec('channel.send(1)')
  channel.setCallback(throws)
  expect(await errorOf(channel.waitClose())).toBeInstanceOf(Error)
})

it.each([
  ['', new TypeError('mine')],
  [' of another realm', runInNewContext('new TypeError("mine")')],
])('keeps an error%s as it is', (_, error) => {
  expect(asError(error)).toBe(error)
})

it('goes on when onOutput throws, whose error surfaces as that of an event listener', async () => {
  const surfaced: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => surfaced.push(error))
  try {
    const onOutput = (): never => {
      throw new Error('from onOutput')
    }
    const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`, { onOutput })
    expect(await gateway.remoteExec("print('one\\ntwo'); channel.send(1)").receive()).toBe(1)
    await gateway.call('print', ['three'])
    await expect.poll(() => surfaced).toHaveLength(3)
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
})
