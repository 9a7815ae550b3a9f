// tendril's side of every work, written as a user of it would. execnet_peer.py does the same things under the same names.
import { Group } from 'tendril'
import { growth, median, passed, peakGrowth, residentMib, sessionPssMib, snapshot, timed } from './figures.mjs'

export const ROUND_TRIPS = 3000
export const WARM_UP = 10_000
export const INTS = 100_000
export const TRANSFERS = 9
export const GATEWAYS = 20
export const UNREAD_MIB = 300
export const CHANNELS = 1_000
export const EXECS = 10_000

const MIB = 1024 * 1024
const ECHO = 'for item in channel: channel.send(item)'
const CONFIRM = 'for item in channel: channel.send(len(item)); del item'
const SEND_ON_DEMAND = `
item = make(channel.receive())
for _ in channel: channel.send(item)
`

// What is transferred, as both languages make it.
export const rows = {
  name: 'rows',
  length: 10_000,
  python: `
def make(n):
    return [{'id': i, 'name': 'User %d' % i, 'email': 'user%d@example.org' % i, 'score': i + 0.5,
             'tags': ['tag%d' % (i % 7), 'tag%d' % (i % 11), 'tag%d' % (i % 13)], 'active': i % 2 == 0} for i in range(n)]
`,
  make: (n) =>
    Array.from({ length: n }, (_, i) => ({
      id: i,
      name: `User ${i}`,
      email: `user${i}@example.org`,
      score: i + 0.5,
      tags: [`tag${i % 7}`, `tag${i % 11}`, `tag${i % 13}`],
      active: i % 2 === 0,
    })),
}
export const floats = {
  name: 'floats',
  length: 200_000,
  python: 'def make(n): return [i + 0.5 for i in range(n)]\n',
  make: (n) => Array.from({ length: n }, (_, i) => i + 0.5),
}
export const bytes = {
  name: 'bytes',
  length: 64 * MIB,
  python: 'def make(n): return b"x" * n\n',
  make: (n) => Buffer.alloc(n, 'x'),
}

/** Cold, and when the compilers of Node are through; on the first task of a gateway as on a later one. */
export function roundTrips(python) {
  return withGateway(python, async (gateway) => {
    const first = gateway.remoteExec(ECHO)
    const cold = await roundTripOn(first, ROUND_TRIPS)
    await roundTripOn(first, WARM_UP)
    const awaited = await roundTripOn(first, ROUND_TRIPS)
    const queued = await roundTripOn(first, ROUND_TRIPS, { isAwaited: false })
    await first.close()
    const second = gateway.remoteExec(ECHO)
    await roundTripOn(second, ROUND_TRIPS)
    return { cold, awaited, queued, later: await roundTripOn(second, ROUND_TRIPS) }
  })
}

/** Microseconds of one. */
export async function roundTripOn(channel, times, { isAwaited = true } = {}) {
  const ms = await timed(async () => {
    for (let i = 0; i < times; i++) {
      if (isAwaited) await channel.send(i)
      else void channel.send(i)
      await channel.receive()
    }
  })
  return (ms * 1e3) / times
}

export function sendInts(python) {
  return withGateway(python, async (gateway) => {
    const source = 'channel.send(0)\nwhile channel.receive() != -1: pass\nchannel.send(None)'
    const inOne = async (sendAll) => {
      const channel = gateway.remoteExec(source)
      await channel.receive()
      return perInt(async () => {
        await sendAll(channel)
        await channel.send(-1)
        await channel.receive()
      })
    }
    // As a program does that has many values at hand.
    const sendQueued = async (channel) => {
      for (let i = 0; i < INTS; i += 1000) {
        await Promise.all(Array.from({ length: 1000 }, (_, j) => channel.send(i + j)))
      }
    }
    const sendAwaited = async (channel) => {
      for (let i = 0; i < INTS; i++) await channel.send(i)
    }
    const cold = await inOne(sendQueued)
    await inOne(sendAwaited)
    return { cold, queued: await inOne(sendQueued), awaited: await inOne(sendAwaited) }
  })
}

export function receiveInts(python) {
  return withGateway(python, async (gateway) => {
    const start = async () => {
      const channel = gateway.remoteExec(`channel.receive()\nfor i in range(${INTS}): channel.send(i)`)
      await channel.send('go')
      return channel
    }
    const receiveAll = () =>
      perInt(async () => {
        const channel = await start()
        for (let i = 0; i < INTS; i++) await channel.receive()
      })
    const cold = await receiveAll()
    await receiveAll()
    const receive = await receiveAll()
    const iterated = await perInt(async () => {
      let count = 0
      for await (const _ of await start()) count++
      if (count !== INTS) throw new Error(`${count} items arrived`)
    })
    const callback = await perInt(async () => {
      const channel = await start()
      channel.setCallback(() => undefined)
      await channel.waitClose()
    })
    return { cold, receive, iterated, callback }
  })
}

async function perInt(run) {
  return ((await timed(run)) * 1e3) / INTS
}

export function transfer(python, { python: source, make, length }) {
  return withGateway(python, async (gateway) => {
    const item = make(length)
    const sink = gateway.remoteExec(CONFIRM)
    const send = async () => {
      await sink.send(item)
      if ((await sink.receive()) !== length) throw new Error('the worker has something else')
    }
    const coldToWorker = await timed(send)
    await medianOf(TRANSFERS, send)
    const toWorker = await medianOf(TRANSFERS, send)
    await sink.close()
    const from = gateway.remoteExec(source + SEND_ON_DEMAND)
    await from.send(length)
    const receive = async () => {
      await from.send('go')
      if ((await from.receive()).length !== length) throw new Error('something else arrived')
    }
    const coldToController = await timed(receive)
    await medianOf(TRANSFERS, receive)
    return { coldToWorker, toWorker, coldToController, toController: await medianOf(TRANSFERS, receive) }
  })
}

export async function startUp(python) {
  const group = new Group()
  const firstResult = async (gateway) => {
    await gateway.remoteExec('channel.send(1)').receive()
    return () => gateway.terminate()
  }
  const launch = () => firstResult(group.launchGateway(specOf(python)))
  const cold = await timed(launch)
  const launched = await medianOf(5, launch)
  const made = await medianOf(5, async () => firstResult(await group.makeGateway(specOf(python))))
  return { cold, launched, made }
}

export async function manyGateways(python) {
  const all = await timed(async () => {
    const group = new Group()
    for (let i = 0; i < GATEWAYS; i++) group.launchGateway(specOf(python))
    await group.remoteExec('channel.send(1)').receiveEach()
    return () => group.terminate()
  })
  return { all }
}

export function idleMemory(python) {
  return withGateway(python, async (gateway) => {
    const { pid } = await gateway.info()
    await passed(100)
    const worker = residentMib(pid)
    const share = sessionPssMib(pid)
    await gateway.remoteExec('channel.send(1)').waitClose()
    return { worker, share, used: residentMib(pid) }
  })
}

export async function unread(python) {
  const toWorker = await withGateway(python, async (gateway) => {
    const channel = gateway.remoteExec('channel.gateway.newchannel().receive()')
    return growthOf(gateway, async () => {
      for (let i = 0; i < UNREAD_MIB; i++) {
        // A send that waits for the window rejects when its gateway ends.
        const sent = channel.send(Buffer.alloc(MIB, i)).catch(() => undefined)
        if (await Promise.race([sent, passed(1000, 'blocked')])) return
      }
    })
  })
  const toController = await withGateway(python, (gateway) =>
    growthOf(gateway, async () => {
      gateway.remoteExec(`for i in range(${UNREAD_MIB}): channel.send(bytes(bytearray(${MIB})))`)
      await passed(2000)
    }),
  )
  return {
    toWorker: toWorker.there,
    toWorkerHere: toWorker.here,
    toController: toController.here,
    toControllerThere: toController.there,
  }
}

async function growthOf(gateway, run) {
  const { pid } = await gateway.info()
  return peakGrowth({ here: process.pid, there: pid }, run)
}

export function manyChannels(python) {
  return withGateway(python, (gateway) => {
    const carrier = gateway.remoteExec('for other in channel:\n    other.send(1)\n    other.close()')
    return repeat(gateway, CHANNELS, async () => {
      const channel = gateway.newChannel()
      await carrier.send(channel)
      await channel.receive()
      await channel.waitClose()
    })
  })
}

export function manyExecs(python) {
  return withGateway(python, (gateway) =>
    repeat(gateway, EXECS, async () => {
      const channel = gateway.remoteExec('channel.send(1)')
      await channel.receive()
      await channel.waitClose()
    }),
  )
}

/** What has grown from the end of the first quarter to the end. */
async function repeat(gateway, times, step) {
  const { pid } = await gateway.info()
  const quarter = async () => {
    for (let i = 0; i < times / 4; i++) await step()
  }
  await quarter()
  const before = await snapshot(gateway, pid)
  const ms = await timed(async () => {
    for (let i = 0; i < 3; i++) await quarter()
  })
  return { each: (ms * 1e3) / (times * 0.75), ...growth(before, await snapshot(gateway, pid)) }
}

function specOf(python) {
  return `popen//python=${python}`
}

async function withGateway(python, run) {
  const group = new Group()
  try {
    return await run(await group.makeGateway(specOf(python)))
  } finally {
    await group.terminate()
  }
}

/** Median of the milliseconds that `run` takes. */
async function medianOf(times, run) {
  const figures = []
  for (let i = 0; i < times; i++) figures.push(await timed(run))
  return median(figures)
}
