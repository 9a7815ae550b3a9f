// What grows with the number of items, channels, tasks and lines of output.
import { MultiChannel } from 'tendril'
import { each, failureOf, go, range, together } from './steps.mjs'

const WINDOW_BYTES = 16 * 1024 * 1024
const SINK = 'for item in channel: pass\nchannel.send(None)'
const SOURCE = 'channel.receive()\nfor i in range(n): channel.send(i)'

/** A task that is there: what it does begins with an item. */
const exec = (gateway, source, names) => gateway.remoteExec(source, names)

/** Sends all, and waits until all have been received. */
const sending =
  (send) =>
  ({ gateway }, n) => {
    const channel = exec(gateway, SINK)
    return async () => {
      await send(channel, n)
      channel.sendEnd()
      await channel.receive()
    }
  }

/** Receives so many. */
const receiving =
  (receive) =>
  ({ gateway }, n) => {
    const channel = exec(gateway, SOURCE, { n })
    return async () => {
      await receive(channel, n, () => channel.send(0))
    }
  }

export const channels = {
  'sends, each awaited': sending((channel, n) => each(n, (i) => channel.send(i))),
  'sends at once': sending((channel, n) => together(n, (i) => channel.send([i]))),
  'sends that nobody awaits, beyond the window': ({ gateway }, n) => {
    const begin = gateway.newChannel()
    const filled = exec(gateway, `begin.receive()\n${SINK}`, { begin })
    void filled.send(Buffer.alloc(WINDOW_BYTES))
    return async () => {
      for (let i = 0; i < n; i++) void filled.send([i])
      filled.sendEnd()
      await begin.send(0)
      await filled.receive()
      return () => begin.close()
    }
  },
  'items of 1 KiB': sending((channel, n) => each(n, () => channel.send('x'.repeat(1024)))),
  'bytes of one item, in KiB': sending((channel, n) => channel.send(Buffer.alloc(n * 1024, 'x'))),
  'items through a writable stream': sending(async (channel, n) => {
    const writer = channel.writable.getWriter()
    await each(n, (i) => writer.write(i))
  }),
  'receives, each awaited': receiving(async (channel, n, begin) => {
    await begin()
    await each(n, () => channel.receive())
  }),
  'receives that wait at once': receiving(async (channel, n, begin) => {
    const received = together(n, () => channel.receive())
    await begin()
    await received
  }),
  'receives that wait at once, each with a timeout': receiving(async (channel, n, begin) => {
    const received = together(n, () => channel.receive({ timeout: 1e8 }))
    await begin()
    await received
  }),
  'receives with one AbortSignal, each awaited': receiving(async (channel, n, begin) => {
    const { signal } = new AbortController()
    await begin()
    await each(n, () => channel.receive({ signal }))
  }),
  'receives with one AbortSignal, at once': receiving(async (channel, n, begin) => {
    const { signal } = new AbortController()
    const received = together(n, () => channel.receive({ signal }))
    await begin()
    await received
  }),
  'receives that are aborted together': ({ gateway }, n) => {
    const channel = gateway.newChannel()
    const controller = new AbortController()
    return async () => {
      const all = Promise.allSettled(range(n, () => channel.receive({ signal: controller.signal })))
      controller.abort()
      await all
      return () => channel.close()
    }
  },
  'items of a loop': receiving(async (channel, _, begin) => {
    await begin()
    for await (const _item of channel);
  }),
  'items of a callback': receiving(async (channel, _, begin) => {
    channel.setCallback(() => undefined)
    await begin()
    await channel.waitClose()
  }),
  'items of a readable stream': receiving(async (channel, _, begin) => {
    await begin()
    for await (const _item of channel.readable);
  }),
  'items that wait, then are received': ({ gateway }, n) => {
    const channel = exec(gateway, SOURCE, { n: Math.ceil(n / 4) })
    return async () => {
      void channel.send(0)
      await channel.waitClose()
      await each(Math.ceil(n / 4), () => channel.receive())
    }
  },
  'items of a callback in Python': ({ gateway }, n) => {
    const source = 'def told(item):\n    if item is None: channel.send(0)\nother.setcallback(told)\nchannel.receive()'
    const other = gateway.newChannel()
    const channel = exec(gateway, source, { other })
    return async () => {
      await each(n, (i) => other.send(i))
      await other.send(null)
      await channel.receive()
      return () => channel.close()
    }
  },
  'channels opened and closed':
    ({ gateway }, n) =>
    async () => {
      await each(n, () => gateway.newChannel().close())
      await gateway.remoteStatus()
    },
  'channels open at once': ({ gateway }, n) => {
    const count = Math.ceil(n / 8) // a gateway has 65,536 at most
    return async () => {
      const open = range(count, () => gateway.newChannel())
      await gateway.remoteStatus()
      for (const channel of open) void channel.close()
      await gateway.remoteStatus()
    }
  },
  'channels that are sent': ({ gateway }, n) => {
    const channel = exec(gateway, 'for other in channel:\n    other.send(1)\n    other.close()')
    return () =>
      each(n, async () => {
        const other = gateway.newChannel()
        await channel.send(other)
        await other.receive()
        await other.waitClose()
      })
  },
  'channels that the worker opens and closes': ({ gateway }, n) =>
    go(gateway, `for i in range(${n}): channel.gateway.newchannel().close()`),
  'channels that the worker opens and sends': ({ gateway }, n) => {
    const source = `channel.receive()\nfor i in range(${n}):\n    other = channel.gateway.newchannel()\n    channel.send(other)\n    other.send(i)\n    other.close()`
    const channel = exec(gateway, source)
    return async () => {
      await channel.send(0)
      for await (const other of channel) await other.receive()
    }
  },
  'tasks, one after the other':
    ({ gateway }, n) =>
    () =>
      each(n, () => exec(gateway, 'channel.send(1)').waitClose()),
  'tasks that wait for the main thread': async ({ group, spec }, n) => {
    const gateway = await group.makeGateway(`${spec}//execmodel=main_thread_only`)
    return async () => {
      await together(n, () => exec(gateway, 'channel.send(1)').waitClose())
      return () => gateway.exit()
    }
  },
  'names of a task': ({ gateway }, n) => go(gateway, 'pass', Object.fromEntries(range(n, (i) => [`name_${i}`, i]))),
  'lines of a task': ({ gateway }, n) => go(gateway, 'x = 1\n'.repeat(n)),
  'items of a receive queue': ({ gateway }, n) => {
    const many = new MultiChannel(range(8, () => exec(gateway, SOURCE, { n: Math.ceil(n / 8) })))
    return async () => {
      await many.sendEach(0)
      for await (const _item of many.makeReceiveQueue());
    }
  },
  'channels of a receive queue': ({ gateway }, n) => {
    const sink = exec(gateway, 'for other in channel: other.send(1); other.close()')
    const many = new MultiChannel(range(Math.ceil(n / 8), () => gateway.newChannel()))
    return async () => {
      for (const channel of many) void sink.send(channel)
      for await (const _item of many.makeReceiveQueue());
      return () => sink.close()
    }
  },
  'receiveEach of channels': ({ gateway }, n) => {
    const sink = exec(gateway, 'for other in channel: other.send(1); other.close()')
    const many = new MultiChannel(range(Math.ceil(n / 8), () => gateway.newChannel()))
    return async () => {
      for (const channel of many) void sink.send(channel)
      await many.receiveEach()
      await many.waitClose()
      return () => sink.close()
    }
  },
  'statuses asked at once':
    ({ gateway }, n) =>
    () =>
      together(n, () => gateway.remoteStatus()),
  'lines of one item, read by makefile': ({ gateway }, n) => {
    const channel = exec(gateway, 'for line in channel.makefile("r"): pass')
    return async () => {
      await channel.send('a line\n'.repeat(n))
      channel.sendEnd()
      await channel.waitClose()
    }
  },
  'items of one line, read by makefile': ({ gateway }, n) => {
    const channel = exec(gateway, 'channel.makefile("r").readline()')
    return async () => {
      await each(n, () => channel.send('some text'))
      channel.sendEnd()
      await channel.waitClose()
    }
  },
  'pieces of one item, read by makefile': ({ gateway }, n) => {
    const channel = exec(gateway, 'file = channel.makefile("r")\nwhile file.read(5): pass')
    return async () => {
      await channel.send('some text\n'.repeat(n))
      channel.sendEnd()
      await channel.waitClose()
    }
  },
  'lines printed by makefile': ({ gateway }, n) =>
    go(gateway, `file = channel.makefile("w")\nfor i in range(${n}): file.write("a line\\n")`),
  'lines printed': ({ gateway }, n) => go(gateway, `for i in range(${n}): print("a line")`),
  'characters of one line printed, 100 at a time': ({ gateway }, n) =>
    go(gateway, `import sys\nfor i in range(${n}): sys.stdout.write("x" * 100)`),
  'lines printed on stderr': ({ gateway }, n) =>
    go(gateway, `import sys\nfor i in range(${n}): sys.stderr.write("a line\\n")`),
  'blanks in the text of a failure':
    ({ gateway }, n) =>
    () =>
      failureOf(exec(gateway, 'raise ValueError("x" + " " * n + "x")', { n }).waitClose()),
  'lines in the text of a failure':
    ({ gateway }, n) =>
    () =>
      failureOf(exec(gateway, 'raise ValueError("a line \\n" * n)', { n }).waitClose()),
  'arguments of a failure':
    ({ gateway }, n) =>
    () =>
      failureOf(exec(gateway, 'raise ValueError(*range(n))', { n }).waitClose()),
  'causes of a failure':
    ({ gateway }, n) =>
    () =>
      failureOf(
        exec(
          gateway,
          'for i in range(n):\n    try: raise ValueError(i)\n    except ValueError as e: last = e; e.__cause__ = None if i % 50 == 0 else before\n    before = last\nraise last',
          { n },
        ).waitClose(),
      ),
  'blanks in the reason of a close': ({ gateway }, n) => {
    const other = gateway.newChannel()
    const channel = exec(gateway, 'try: other.receive()\nexcept Exception as e: channel.send(str(e))', { other })
    return async () => {
      await other.close(`x${' '.repeat(n)}x`)
      await channel.receive()
    }
  },
  'tasks that fail':
    ({ gateway }, n) =>
    () =>
      each(n, () => failureOf(exec(gateway, 'raise ValueError(1)').waitClose())),
  'receives of a channel that failed': async ({ gateway }, n) => {
    const channel = exec(gateway, 'raise ValueError("x" * 100)')
    await failureOf(channel.waitClose())
    return () => each(n, () => failureOf(channel.receive()))
  },
}
