// Bounded memory: 300 MB to a channel that nobody reads costs its window, on either side, and all of it arrives once it is read.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { popen, type Way } from '../conformance/subject.js'
import { overWebSocket } from '../conformance/ws.js'
import { anyInterpreter } from '../interpreters.js'

const itemBytes = 1024 * 1024
const items = 300
const maxGrowth = 64 * 1024 * 1024

const resident = 'import os; channel.send(int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What this process holds: its resident memory would tell, beside that, what nobody has collected yet. */
function heldBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const ways = [
  ['popen', popen],
  ['ws', overWebSocket],
] as const

describe.each(ways)('a window over %s', (_, findWay) => {
  let way: Way
  beforeAll(async () => {
    way = await findWay(anyInterpreter().command)
  })
  afterAll(() => way.stop?.())

  it('bounds what the controller holds of a worker that sends 300 MB', async () => {
    await using group = await Group.open([way.spec])
    const gateway = group.get(0)
    await gateway.remoteExec(resident).receive()
    const before = heldBytes()
    const channel = gateway.remoteExec<Uint8Array>('for i in range(items): channel.send(b"x" * size)', {
      items,
      size: itemBytes,
    })
    for (let answers = 0; answers < 300; answers++) await gateway.remoteStatus()
    expect(heldBytes() - before).toBeLessThan(maxGrowth)
    let received = 0
    for await (const item of channel) received += item.length
    expect(received).toBe(items * itemBytes)
  })

  it('bounds what the worker holds of a controller that sends 300 MB', async () => {
    await using group = await Group.open([way.spec])
    const gateway = group.get(0)
    const before = Number(await gateway.remoteExec(resident).receive())
    const start = gateway.newChannel()
    const source = 'start.receive()\nchannel.send(sum(len(item) for item in channel))'
    const channel = gateway.remoteExec<number, Uint8Array>(source, { start })
    const item = new Uint8Array(itemBytes)
    let taken = 0
    const sending = (async () => {
      for (; taken < items; taken++) await channel.send(item)
      channel.sendEnd()
    })()
    for (let answers = 0; answers < 300; answers++) await gateway.remoteStatus()
    expect(taken).toBeLessThan(32)
    expect(Number(await gateway.remoteExec(resident).receive()) - before).toBeLessThan(maxGrowth)
    await start.send(null)
    await sending
    expect(await channel.receive()).toBe(items * itemBytes)
  })

  it('lets 300 MB through to a worker that reads', async () => {
    await using group = await Group.open([way.spec])
    const channel = group.get(0).remoteExec<number, Uint8Array>('channel.send(sum(len(item) for item in channel))')
    const item = new Uint8Array(itemBytes)
    for (let sent = 0; sent < items; sent++) await channel.send(item)
    channel.sendEnd()
    expect(await channel.receive()).toBe(items * itemBytes)
  })

  it('counts many small items too', async () => {
    await using group = await Group.open([way.spec])
    const gateway = group.get(0)
    const channel = gateway.remoteExec<number>('import itertools\nfor i in itertools.count(): channel.send(i)')
    const before = heldBytes()
    for (let answers = 0; answers < 300; answers++) await gateway.remoteStatus()
    expect(heldBytes() - before).toBeLessThan(maxGrowth)
    expect(await channel.receive()).toBe(0)
    await channel.close()
  })

  it('does not let one full channel stop another', async () => {
    await using group = await Group.open([way.spec])
    const gateway = group.get(0)
    const full = gateway.remoteExec('while True: channel.send("x" * 1000000)')
    const echo = gateway.remoteExec('for item in channel: channel.send(item)')
    for (let n = 0; n < 50; n++) {
      await echo.send(n)
      expect(await echo.receive()).toBe(n)
    }
    await full.close()
  })

  it('wakes a worker that waits for room when the channel is closed', async () => {
    await using group = await Group.open([way.spec])
    const gateway = group.get(0)
    const report = gateway.newChannel()
    const source = 'try:\n    while True: channel.send("x" * 1000000)\nexcept IOError as e:\n    report.send(str(e))'
    const channel = gateway.remoteExec(source, { report })
    await channel.receive()
    await channel.close()
    expect(await report.receive()).toContain('cannot send')
  })
})
