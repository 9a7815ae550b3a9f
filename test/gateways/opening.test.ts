// The way of a gateway to its worker: what is told on it, who is asked, when it is given up, and the errors at its end.
import { describe, expect, it } from 'vitest'
import { BaseGateway } from '../../src/gateways/gateway.js'
import { Opening, type OpeningOptions } from '../../src/gateways/opening.js'
import {
  AuthenticationError,
  BootstrapError,
  GatewayClosedError,
  Group,
  HostKeyError,
  HostNotFoundError,
  type Phase,
  type PhaseEvent,
  TendrilError,
  XSpec,
} from '../../src/index.js'
import { ConnectFault } from '../../src/transports/connecting.js'
import type { Transport, TransportEnd, TransportEvents } from '../../src/transports/transport.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

const { command } = anyInterpreter()
const question = { kind: 'password', from: 'anne@web1', text: 'Password', echo: false } as const

/** A transport that is on its way for ever: it ends when it is told to, or given up. */
class Underway implements Transport {
  readonly remoteAddress = undefined
  #events: TransportEvents | undefined
  #end: TransportEnd | undefined

  start(events: TransportEvents): void {
    this.#events = events
    if (this.#end !== undefined) events.onEnd(this.#end)
  }
  write(): boolean {
    return true
  }
  endInput(): void {}
  keepAlive(): void {}
  kill(): void {
    this.end({ error: new Error('the way was given up') })
  }
  end(end: TransportEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#events?.onEnd(end)
  }
}

/** A gateway that is on its way to web1. */
function launch(options: Partial<OpeningOptions> = {}): {
  gateway: BaseGateway
  opening: Opening
  transport: Underway
  steps: PhaseEvent[]
} {
  const steps: PhaseEvent[] = []
  const opening = new Opening({ gateway: 'w', onPhase: (event) => steps.push(event), ...options })
  const transport = new Underway()
  const spec = XSpec.parse('ssh=web1//id=w')
  const gateway = new BaseGateway({ id: 'w', spec, transport, tried: ['web1'], onOutput: () => undefined, opening })
  return { gateway, opening, transport, steps }
}

async function rejection(promise: Promise<unknown>): Promise<TendrilError> {
  const error = await errorOf(promise)
  if (error instanceof TendrilError) return error
  throw new Error('not an error of ours', { cause: error })
}

describe('the phases of a gateway', () => {
  it('of popen and via are python and ready, with the interpreter and rising times', async () => {
    const steps: PhaseEvent[] = []
    await using group = new Group({ onPhase: (event) => steps.push(event) })
    await group.makeGateway(`popen//id=a//python=${command}`)
    await group.makeGateway(`popen//via=a//id=b`)
    expect(steps.map(({ gateway, phase }) => `${gateway} ${phase}`)).toEqual([
      'a python',
      'a ready',
      'b python',
      'b ready',
    ])
    expect(steps.map(({ detail }) => detail)).toEqual([
      command,
      expect.stringMatching(/^(CPython|PyPy) \d+\.\d+\.\d+ on \w+, \//),
      'the interpreter of a',
      expect.stringMatching(/Py/),
    ])
    expect(steps[1]?.elapsedMs).toBeGreaterThan(steps[0]?.elapsedMs ?? Number.NaN)
  })

  it('of a gateway behind one that is not ready have no part in its timeout', async () => {
    const told: string[] = []
    await using group = new Group({ onPhase: ({ gateway, phase }) => told.push(`${gateway} ${phase}`) })
    // Longer than the other may take in all: what is charged to that one would end it.
    const slow = `sh -c 'sleep 0.5; exec ${command} "$@"' sh`
    group.launchGateway(`popen//id=a//python=${slow}`)
    const ready = errorOf(group.launchGateway('popen//via=a//id=b//timeout=400ms').ready)
    await group.get('a').ready
    await ready
    expect(told.slice(0, 4)).toEqual(['a python', 'b connect', 'a ready', 'b python'])
  })

  it('end with the error that ready rejects with, in the phase that failed', async () => {
    const steps: PhaseEvent[] = []
    const group = new Group()
    const opening = group.makeGateway('popen//python=/nowhere/python3', { onPhase: (event) => steps.push(event) })
    const { message } = await rejection(opening)
    expect(steps).toHaveLength(2)
    expect(steps[1]).toMatchObject({ phase: 'python', error: { message, code: 'ERR_BOOTSTRAP' } })
  })

  it('end with the error of a spec that is refused before anything is started', async () => {
    const steps: PhaseEvent[] = []
    const group = new Group({ onPhase: (event) => steps.push(event) })
    await expect(group.makeGateway('popen//via=nobody')).rejects.toMatchObject({ code: 'ERR_XSPEC' })
    expect(steps).toMatchObject([{ gateway: 'gw0', error: { code: 'ERR_XSPEC' } }])
  })

  it('are told to the callback of the call rather than to that of the group', async () => {
    const told: string[] = []
    await using group = new Group({ onPhase: () => told.push('group') })
    await group.makeGateway(`popen//python=${command}`, { onPhase: () => told.push('call'), onOutput: undefined })
    expect(new Set(told)).toEqual(new Set(['call']))
  })

  it('are told once each, and not after the end', () => {
    const { opening, transport, steps } = launch()
    opening.enter('connect', '10.0.0.4 port 22')
    opening.enter('connect', '10.0.0.4 port 22')
    opening.enter('connect', '10.0.0.5 port 22')
    transport.end({})
    opening.enter('authenticate')
    expect(steps.map(({ phase, detail, error }) => [phase, detail, error?.name])).toEqual([
      ['connect', '10.0.0.4 port 22', undefined],
      ['connect', '10.0.0.5 port 22', undefined],
      ['connect', '10.0.0.5 port 22', 'BootstrapError'],
    ])
  })
})

describe('a way that fails', () => {
  const faults: readonly [Phase, (message: string) => TendrilError, new (message: string) => TendrilError][] = [
    ['resolve', (message) => new HostNotFoundError(message, { phase: 'resolve' }), HostNotFoundError],
    ['host key', (message) => new HostKeyError(message, { fingerprint: 'SHA256:x' }), HostKeyError],
    ['authenticate', (message) => new AuthenticationError(message, { offered: ['publickey'] }), AuthenticationError],
    ['channel', (message) => new BootstrapError(message, { phase: 'channel' }), BootstrapError],
  ]

  it.each(faults)('in phase %s gives everybody who waits an error of its class', async (phase, make, errorClass) => {
    const { gateway, opening, transport, steps } = launch()
    const channel = gateway.remoteExec('channel.send(1)')
    const all = [gateway.ready, channel.receive(), channel.waitClose(), gateway.remoteStatus()].map(rejection)
    opening.enter(phase)
    transport.end({ error: new ConnectFault(phase, 'it does not work. Mend it', make) })
    const { error, reason } = await gateway.closed
    const errors = [...(await Promise.all(all)), error, steps.at(-1)?.error]
    for (const each of errors) {
      expect(each).toBeInstanceOf(errorClass)
      expect(each).toMatchObject({ phase, message: 'gateway w (ssh=web1//id=w): it does not work. Mend it' })
    }
    expect(new Set(errors).size).toBeGreaterThan(4) // a fresh one each time, with the stack of who waits
    expect(reason).toBe('lost')
    expect(() => gateway.remoteExec('')).toThrow(errorClass)
  })

  it.each([
    ['ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.4:22', HostNotFoundError, 'nothing listens there'],
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND web1', HostNotFoundError, 'no host of that name is known'],
    ['EHOSTUNREACH', 'connect EHOSTUNREACH 10.0.0.4:22', HostNotFoundError, 'the host cannot be reached'],
    ['ECONNRESET', 'read ECONNRESET', BootstrapError, 'the other side reset the connection'],
  ])('with the raw error %s says what that means', async (code, message, errorClass, text) => {
    const { gateway, opening, transport } = launch()
    opening.enter('connect')
    const cause = Object.assign(new Error(message), { code })
    transport.end({ error: cause })
    const error = await rejection(gateway.ready)
    expect(error).toBeInstanceOf(errorClass)
    expect(error.cause).toBe(cause)
    expect(error.message).toContain(`: ${text}`)
    expect(error.message).toContain(message)
  })
})

it('a connection that ends on the way is told with the phase, and without a word on Python', async () => {
  const { gateway, opening, transport, steps } = launch()
  opening.enter('authenticate', 'anne@web1')
  transport.end({ exitCode: 255 })
  const error = await rejection(gateway.ready)
  expect(error).toMatchObject({ code: 'ERR_BOOTSTRAP', phase: 'authenticate', exitCode: 255 })
  expect(error.message).toContain('ended with exit code 255, in phase "authenticate". See how far')
  expect(steps.at(-1)).toMatchObject({ phase: 'authenticate', detail: 'anne@web1', error: { message: error.message } })
})

describe('the connect timeout', () => {
  it.each([
    ['resolve', HostNotFoundError, /looking up web1 took.*Match exec/],
    ['connect', HostNotFoundError, /web1 did not answer.*firewall/],
    ['host key', BootstrapError, /web1 took the connection.*SSH server/],
    ['authenticate', BootstrapError, /the login \(web1\).*ssh-add -l/],
    ['channel', BootstrapError, /opened no session.*MaxSessions/],
    ['python', BootstrapError, /did not answer for 0\.01 s.*python= key/],
  ] as const)('names the phase %s and what to do', async (phase, errorClass, text) => {
    const { gateway, opening } = launch({ timeoutMs: 10 })
    opening.enter(phase, 'web1')
    const error = await rejection(gateway.ready)
    expect(error).toBeInstanceOf(errorClass)
    expect(error).toMatchObject({ phase, message: expect.stringMatching(text) })
    expect(error.message).toMatch(/key timeout=.*raise timeout=/)
    expect(opening.signal.aborted).toBe(true)
  })

  it('stands still while a person is asked', async () => {
    let answer = (_: string): void => undefined
    const { opening, gateway } = launch({
      timeoutMs: 20,
      prompt: () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    })
    opening.enter('authenticate')
    const answered = opening.ask(question)
    const other = launch({ timeoutMs: 60 }) // has three times as long, and is over first
    await rejection(other.gateway.ready)
    answer('secret')
    expect(await answered).toBe('secret')
    expect(opening.signal.aborted).toBe(false)
    await rejection(gateway.ready)
  })

  it('does not touch a gateway that is ready', async () => {
    const { opening } = launch({ timeoutMs: 20 })
    opening.arrive('CPython')
    await rejection(launch({ timeoutMs: 60 }).gateway.ready)
    expect(opening.signal.aborted).toBe(false)
  })
})

describe('a question', () => {
  it('is declined when nobody can be asked', async () => {
    expect(await launch().opening.ask(question)).toBeUndefined()
  })

  it('is answered by the prompt of the group, which is told who asks', async () => {
    const { opening } = launch({ prompt: ({ from, kind }) => `${kind} of ${from}` })
    expect(await opening.ask(question)).toBe('password of anne@web1')
  })

  it('is over when the gateway is given up', async () => {
    const { opening, gateway } = launch({ prompt: () => new Promise(() => undefined) })
    opening.enter('authenticate')
    const answered = opening.ask(question)
    await gateway.terminate()
    expect(await answered).toBeUndefined()
    expect(await opening.ask(question)).toBeUndefined()
  })

  it('that makes the prompt throw ends the gateway with that error as the cause', async () => {
    const failure = new Error('the keyboard is on fire')
    const { opening, gateway } = launch({ prompt: () => Promise.reject(failure) })
    opening.enter('authenticate')
    expect(await opening.ask(question)).toBeUndefined()
    expect(await rejection(gateway.ready)).toMatchObject({ cause: failure })
  })
})

describe('giving up', () => {
  it('ends at once what is on its way, and says that it was terminated', async () => {
    const { gateway, opening, steps } = launch()
    opening.enter('connect', 'web1')
    const waiting = rejection(gateway.remoteExec('').receive())
    expect(await gateway.terminate({ timeout: Infinity })).toEqual({ killed: [] })
    expect(opening.signal.aborted).toBe(true)
    expect(await gateway.closed).toMatchObject({ reason: 'terminated', error: undefined })
    expect(await waiting).toBeInstanceOf(GatewayClosedError)
    expect((await rejection(gateway.ready)).message).toMatch(/has ended: it was terminated/)
    expect(steps.at(-1)?.error).toBeInstanceOf(GatewayClosedError)
  })

  it('lets an interpreter that has been started leave in peace', async () => {
    const group = new Group()
    const gateway = group.launchGateway(`popen//python=${command}`)
    expect(await gateway.terminate({ timeout: Infinity })).toEqual({ killed: [] })
    expect(await gateway.closed).toMatchObject({ reason: 'terminated', exitCode: 0 })
  })
})
