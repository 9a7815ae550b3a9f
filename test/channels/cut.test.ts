// Items of code that the end of its gateway cut off: they are followed by an error, never by a clean end.
import { afterAll, describe, expect, it } from 'vitest'
import { type Channel, type Gateway, GatewayClosedError, Group } from '../../src/index.js'
import { pythons, pythons3 } from '../calls/pythons.js'
import { until } from '../waiting.js'

const MEGABYTE = 1024 * 1024
const stops = {
  exit: (gateway: Gateway) => gateway.exit(),
  terminate: (gateway: Gateway) => gateway.terminate({ timeout: 200 }),
  kill: async (gateway: Gateway) => process.kill((await gateway.info()).pid, 'SIGKILL'),
}
const answering = 'for item in channel: channel.send(item)'
const counts = 'channel.gateway.sent = n + 1'
const sending = `for n in range(36): channel.send(b"x" * ${MEGABYTE}); ${counts}`
// What a user writes who does not want to hear of the end.
const tolerant = `import sys\ntry:\n    ${sending}\nexcept IOError: pass`
const fromCallback = `def on_item(n): channel.send(b"x" * ${MEGABYTE}); ${counts}\nchannel.setcallback(on_item, endmarker=None)\nchannel.waitclose()`
const asFile = `file = channel.makefile("w")\nfor n in range(36): file.write(u"x" * ${MEGABYTE}); ${counts}`
/** How many such code has sent. */
const sent = 'channel.send(getattr(channel.gateway, "sent", 0))'

/** Reads as a loop, as a stream and through a pipe do; gives the items and how it ended. */
const readers: Record<string, (channel: Channel, onItem: (item: unknown) => void) => Promise<void>> = {
  loop: async (channel, onItem) => {
    for await (const item of channel) onItem(item)
  },
  readable: async (channel, onItem) => {
    for await (const item of channel.readable) onItem(item)
  },
  pipe: (channel, onItem) => channel.readable.pipeTo(new WritableStream({ write: onItem })),
  receive: async (channel, onItem) => {
    while (true) onItem(await channel.receive())
  },
}

describe.each([...new Set([pythons.at(0), pythons3.at(-2)])].filter((each) => each !== undefined))(
  'the items of code that is cut off, of $name,',
  ({ command }) => {
    const group = new Group({ onOutput: () => undefined })
    afterAll(() => group.terminate())

    it.each(
      Object.keys(readers).flatMap((reader) =>
        (['exit', 'terminate', 'kill'] as const).map((stop) => [reader, stop] as const),
      ),
    )('end with the error of the gateway in a %s, after %s', async (reader, stop) => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      const channel = gateway.remoteExec(answering)
      const read = readers[reader]
      const items: unknown[] = []
      const reading = read?.(channel, (item) => {
        if (items.push(item) < 13) void channel.send(items.length)
        if (items.length === 13) void stops[stop](gateway)
      })
      await channel.send(0)
      await expect(reading).rejects.toThrow(GatewayClosedError)
      expect(items).toEqual(Array.from({ length: 13 }, (_, index) => index))
    })

    it.each(Object.entries({ sending, tolerant, fromCallback, asFile }))(
      'end so when they fill the window: %s',
      async (_, source) => {
        const gateway = await group.makeGateway(`popen//python=${command}`)
        const channel = gateway.remoteExec(source)
        for (let count = 0; count < 36; count++) void channel.send(count)
        await until(async () => Number(await gateway.remoteExec(sent).receive()) >= 15)
        const reader = channel.readable.getReader()
        let count = 0
        const readAll = async (): Promise<void> => {
          while (!(await reader.read()).done) if (++count === 3) await gateway.exit()
        }
        await expect(readAll()).rejects.toThrow(GatewayClosedError)
        expect(count).toBeGreaterThanOrEqual(15) // what had arrived, a window of 16 MiB, is not lost
        expect(count).toBeLessThan(36)
      },
    )

    it.each(['loop', 'readable'])('end so when it is interrupted, for a %s', async (reader) => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      const channel = gateway.remoteExec('import time\nfor n in range(13): channel.send(n)\ntime.sleep(100)')
      let count = 0
      const reading = readers[reader]?.(channel, () => {
        if (++count === 13) void gateway.terminate({ timeout: 3000 })
      })
      await expect(reading).rejects.toThrow(GatewayClosedError)
      await expect(reading).rejects.toMatchObject({ cause: { type: 'KeyboardInterrupt' } })
      expect(count).toBe(13)
    })

    it('end in peace when the code came to its end within the grace', async () => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      const channel = gateway.remoteExec(
        'channel.receive()\nimport time\nfor n in range(36):\n    time.sleep(0.005)\n    channel.send(n)',
      )
      void channel.send('go')
      const items: unknown[] = []
      for await (const item of channel) if (items.push(item) === 1) void gateway.exit()
      expect(items).toHaveLength(36)
    })

    it('are there when a channel that came in an item is taken after the end, and no clean end is', async () => {
      const gateway = await group.makeGateway(`popen//python=${command}`)
      const back = gateway.newChannel<number>()
      const channel = gateway.remoteExec<Channel<number>>(
        'c = channel.gateway.newchannel()\nchannel.send(c)\nchannel.send(back)\nfor n in range(3): c.send(n)\nback.send(1)\nimport os, time\ntime.sleep(0.1)\nos._exit(0)',
        { back },
      )
      await gateway.closed
      const [theirs, ours] = [await channel.receive(), await channel.receive()]
      const items: number[] = []
      const reading = readers['loop']?.(theirs, (item) => void items.push(item as number))
      await expect(reading).rejects.toThrow(GatewayClosedError)
      expect(items).toEqual([0, 1, 2])
      expect(ours).toBe(back)
      expect(await ours.receive()).toBe(1)
      await expect(ours.receive()).rejects.toThrow(GatewayClosedError)
    })
  },
)
