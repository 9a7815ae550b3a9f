// Programs under test whose clock stands still: the library keeps the real timers, so nothing of it waits for theirs.
import { afterEach, expect, it, vi } from 'vitest'
import { GatewayClosedError, Group } from '../src/index.js'
import { anyInterpreter } from './interpreters.js'

const spec = `popen//python=${anyInterpreter().command}`
const all = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const

afterEach(() => void vi.useRealTimers())

it('opens, calls, times out, copies and ends with fake timers, and with a queueMicrotask that does nothing', async () => {
  vi.useFakeTimers({ toFake: [...all, 'performance', 'Date', 'queueMicrotask'], now: 0 })
  const group = new Group()
  const gateway = await group.makeGateway(spec)
  expect(await gateway.modules.math.sqrt(16)).toBe(4)
  await expect(gateway.newChannel().receive({ timeout: 5 })).rejects.toThrow('after 5 ms')
  await expect(gateway.eval('__import__("time").sleep(100)', {}, { timeout: 20 })).rejects.toThrow('20 ms')
  const items: unknown[] = []
  for await (const item of gateway.remoteExec('for n in range(3): channel.send(n)')) items.push(item)
  expect(items).toEqual([0, 1, 2])
  const stuck = gateway.remoteExec(
    'import time\nbegun = channel\nwhile True:\n    try:\n        if begun: begun = begun.send(1)\n        time.sleep(100)\n    except KeyboardInterrupt: pass',
  )
  await stuck.receive()
  const waiting = stuck.receive()
  expect(await gateway.terminate({ timeout: 100 })).toMatchObject({ killed: [{ gateway: gateway.id }] })
  await expect(waiting).rejects.toThrow(GatewayClosedError)
  await group.terminate()
  expect(vi.getTimerCount()).toBe(0)
})

it('rejects through `ready` when a gateway cannot be opened in time', async () => {
  vi.useFakeTimers({ toFake: [...all, 'performance', 'Date'] })
  const gateway = new Group().launchGateway('popen//python=sh -c "sleep 100"//timeout=0.1s')
  await expect(gateway.ready).rejects.toThrow('0.1 s')
})
