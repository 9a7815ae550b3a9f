// How long objects of the worker live, and how often somebody waits for it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type GatewayStats, Group, type Remote } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const group = new Group()
afterAll(() => group.terminate())

async function countsOf(gateway: Gateway): Promise<Pick<GatewayStats, 'references' | 'remoteReferences'>> {
  const { references, remoteReferences } = await gateway.stats()
  return { references, remoteReferences }
}

async function restingCounts(gateway: Gateway): Promise<Pick<GatewayStats, 'references' | 'remoteReferences'>> {
  collectGarbage()
  await new Promise(setImmediate)
  return countsOf(gateway)
}

interface Dates {
  datetime: {
    date(year: number, month: number, day: number): { replace(year: number): { isoformat(): { upper(): string } } }
  }
}

describe.each(pythons)('$name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
  })

  it('releases what is disposed of, and what was collected as garbage', async () => {
    const kept = await gateway.new('list')
    {
      await using inScope = await gateway.new('list')
      expect(await inScope.$length()).toBe(0)
      expect(await countsOf(gateway)).toEqual({ references: 2, remoteReferences: 2 })
    }
    await expect.poll(() => countsOf(gateway)).toEqual({ references: 1, remoteReferences: 1 })
    await (async () => {
      for (let i = 0; i < 1000; i++) void gateway.ref.call('object')
      await gateway.call('len', [kept])
    })()
    await expect.poll(() => restingCounts(gateway)).toEqual({ references: 1, remoteReferences: 1 })
    kept.dispose()
    await expect.poll(() => countsOf(gateway)).toEqual({ references: 0, remoteReferences: 0 })
  })

  it('keeps what a request on its way needs, and runs finalizers where user code runs', async () => {
    await gateway.execute(`
      import threading, time
      log = []
      class Guarded(object):
          def __del__(self): log.append('finalized in %s' % threading.current_thread().name)
          def slow(self):
              time.sleep(0.2); log.append('used'); return 1`)
    const object = await gateway.new<{ slow(): number }>('Guarded')
    const used = object.slow().value()
    object.dispose()
    expect(await used).toBe(1)
    await expect.poll(async () => (await gateway.get<string[]>('log')).length).toBeGreaterThan(0)
    expect((await gateway.get<string[]>('log'))[0]).toBe('used')
    await gateway.call('gc.collect')
    await expect
      .poll(() => gateway.get('log'))
      .toEqual(['used', expect.stringMatching(/^finalized in (MainThread|Dummy|Thread)/)])
  })
})

describe('references', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  })

  it('come in their tens of thousands and go again, and memory stays', async () => {
    // What Python holds: how much memory its threads keep at hand varies.
    const blocks = (): Promise<number> => gateway.eval<number>('import gc, sys; gc.collect(); sys.getallocatedblocks()')
    const makeAndDrop = async (): Promise<void> => {
      for (let i = 0; i < 50_000; i++) {
        void gateway.ref.call('object')
        if (i % 5000 === 0) await gateway.call('len', [[]])
      }
      await expect.poll(() => restingCounts(gateway)).toEqual({ references: 0, remoteReferences: 0 })
    }
    await makeAndDrop()
    const [here, there] = [process.memoryUsage().heapUsed, await blocks()]
    await makeAndDrop()
    expect(process.memoryUsage().heapUsed - here).toBeLessThan(16 * 1024 * 1024)
    expect((await blocks()) - there).toBeLessThan(5000)
  })

  it('leave nothing that waits when the gateway ends', async () => {
    const own = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    const object = await own.new('object')
    const waiting = [own.modules.time.sleep(60).value(), own.new('object').ref(), object.$repr()]
    await own.terminate({ timeout: 0 })
    for (const outcome of await Promise.allSettled(waiting))
      expect(outcome.status === 'rejected' || outcome.value).toBeTruthy()
    await expect(object.$repr()).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    await expect(own.new('object')).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    expect(() => object.dispose()).not.toThrow()
  })
})

describe('a chain', () => {
  it('is one round trip, failures included', async () => {
    const once = '→←'
    let directions = ''
    const note = (line: string): void => {
      const [direction = ''] = /[→←]/.exec(line) ?? []
      if (line.includes(' DATA ') && !directions.endsWith(direction)) directions += direction
    }
    await using own = new Group({ onTrace: note })
    const gateway = await own.makeGateway(`popen//python=${anyInterpreter().command}`)
    const { datetime } = gateway.modules as Remote<Dates>
    const chain = () => datetime.date(2020, 1, 2).replace(2021).isoformat().upper()
    expect(await chain()).toBe('2021-01-02')
    directions = ''
    expect(await chain()).toBe('2021-01-02')
    expect(directions).toBe(once)
    directions = ''
    const failed = await errorOf(datetime.date(2020, 13, 2).replace(2021).isoformat())
    expect(directions).toBe(once)
    expect(failed).toMatchObject({ message: expect.stringContaining('ValueError: month must be') })
  })
})
