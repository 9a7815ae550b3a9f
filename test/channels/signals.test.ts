// One signal for any number of calls: all are told, whoever has left is not, and Node sees no leak.
import { getEventListeners, once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addAbortListener, removeAbortListener } from '../../src/channels/signals.js'
import { type Channel, type Gateway, Group, MultiChannel } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

const popen = `popen//python=${anyInterpreter().command}`

describe('listeners of a signal', () => {
  it('are told once and in their order, but for those that were taken back, also by another one', () => {
    const controller = new AbortController()
    const told: number[] = []
    const third = (): void => void told.push(3)
    const first = (): void => {
      told.push(1)
      removeAbortListener(controller.signal, third)
    }
    const gone = (): void => void told.push(0)
    for (const listener of [gone, first, first, () => told.push(2), third])
      addAbortListener(controller.signal, listener)
    removeAbortListener(controller.signal, gone)
    controller.abort()
    addAbortListener(controller.signal, third)
    expect(told).toEqual([1, 2])
  })

  it('leave nothing on it when all were taken back, and can come again', () => {
    const { signal } = new AbortController()
    const listener = (): void => undefined
    for (let time = 0; time < 2; time++) {
      for (const each of [listener, () => undefined]) {
        addAbortListener(signal, each)
        expect(getEventListeners(signal, 'abort')).toHaveLength(1)
        removeAbortListener(signal, each)
      }
      removeAbortListener(signal, listener)
      expect(getEventListeners(signal, 'abort')).toEqual([])
    }
  })

  it('do not keep each other from being told', async () => {
    const controller = new AbortController()
    const told: string[] = []
    addAbortListener(controller.signal, () => {
      throw new Error('of the first')
    })
    addAbortListener(controller.signal, () => told.push('second'))
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const thrown = once(process, 'uncaughtException')
    controller.abort()
    expect(await thrown).toMatchObject([{ message: 'of the first' }, 'uncaughtException'])
    for (const listener of before) process.on('uncaughtException', listener)
    expect(told).toEqual(['second'])
  })
})

describe('one signal for many', () => {
  const group = new Group()
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(popen)
  })
  afterAll(() => group.terminate())

  const begin = (): Channel => gateway.remoteExec('channel.send(channel.receive())')
  const works: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>> = {
    calls: (signal) => gateway.call('abs', [-1], null, { signal }),
    'calls of a view': (signal) => gateway.with({ signal }).eval('1'),
    tasks: (signal) => gateway.remoteExec('channel.send(1)', {}, { signal }).receive(),
    receives: (signal) => answered(begin(), (channel) => channel.receive({ signal })),
    'waits for the end': (signal) => answered(begin(), (channel) => channel.waitClose({ signal })),
    'receives of many': (signal) => {
      const channels = new MultiChannel(Array.from({ length: 12 }, begin))
      return answered(channels, () => channels.receiveEach({ signal }))
    },
    iterators: async (signal) => {
      for await (const _ of await gateway.call<AsyncIterable<number>>('iter', [[1, 2]], null, { signal })) break
    },
    copies: async (signal) => {
      for await (const _ of gateway.readFile('/proc/version', { signal })) break
    },
  }

  /** Waits before what is waited for can come. */
  async function answered<T extends Channel | MultiChannel>(on: T, wait: (on: T) => Promise<unknown>): Promise<void> {
    const waiting = wait(on)
    await ('sendEach' in on ? on.sendEach(1) : on.send(1))
    await waiting
  }

  it.each(Object.entries(works))('has no warning of a leak: %s', async (_, work) => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    const { signal } = new AbortController()
    await Promise.all(Array.from({ length: 12 }, () => work(signal)))
    await setImmediate() // warnings are emitted in a turn of their own
    process.off('warning', note)
    expect(warnings).toEqual([])
    await expect.poll(() => getEventListeners(signal, 'abort')).toEqual([])
  })

  it('has no warning where gateways are made', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    const { signal } = new AbortController()
    await using many = new Group()
    const failing = Array.from({ length: 12 }, () => many.makeGateway('popen//python=/no/such/python', { signal }))
    await Promise.allSettled(failing)
    await setImmediate()
    process.off('warning', note)
    expect(warnings).toEqual([])
  })
})
