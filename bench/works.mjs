// What is measured: one entry a work, with the rows of the table that it fills, tendril's side of it, and the raw
// pipe's. execnet's side is the function of the same name in execnet_peer.py. Each side runs in a process of its own
// and gives figures by key: less is better in all of them. README.md says how rows and bars read.
import { Group } from 'tendril'
import { growth, median, passed, peakGrowth, residentMib, sessionPssMib, snapshot, timed } from './figures.mjs'
import * as raw from './raw.mjs'

const ECHO = 'for item in channel: channel.send(item)'
const CONFIRM = `
for item in channel:
    channel.send(len(item))
    del item
`
const MAKE_ROWS = `
def make(n):
    return [{'id': i, 'name': 'User %d' % i, 'email': 'user%d@example.org' % i, 'score': i + 0.5,
             'tags': ['tag%d' % (i % 7), 'tag%d' % (i % 11), 'tag%d' % (i % 13)], 'active': i % 2 == 0} for i in range(n)]
`
const MAKE_FLOATS = 'def make(n): return [i + 0.5 for i in range(n)]\n'
const MAKE_BYTES = 'def make(n): return b"x" * n\n'
const SEND_ON_DEMAND = `
item = make(channel.receive())
for _ in channel: channel.send(item)
`

const ROUND_TRIPS = 3000
const INTS = 100_000
const MIB = 1024 * 1024
const UNREAD_MIB = 300
const GATEWAYS = 20
const EXECS = 10_000
const CHANNELS = 1_000

const makeRows = (n) =>
  Array.from({ length: n }, (_, i) => ({
    id: i,
    name: `User ${i}`,
    email: `user${i}@example.org`,
    score: i + 0.5,
    tags: [`tag${i % 7}`, `tag${i % 11}`, `tag${i % 13}`],
    active: i % 2 === 0,
  }))
const makeFloats = (n) => Array.from({ length: n }, (_, i) => i + 0.5)
const makeBytes = (n) => Buffer.alloc(n, 'x')

/** @type {Array<object>} name: also execnet's; rows: figure key, title, unit, bar; rounds: at most so many; isPinned: all on one core. */
export const works = [
  roundTrips('roundtrip-pinned', 'pinned to one core', true, { execnet: 3, raw: 2.5 }),
  roundTrips('roundtrip-free', 'free-running', false, { execnet: 1.3, raw: 1.2 }),
  {
    name: 'ints-to-worker',
    rows: [
      { key: 'queued', title: 'ints to the worker, sends of a tick together', unit: 'µs', bar: { execnet: 3 } },
      {
        key: 'awaited',
        title: 'ints to the worker, every send awaited',
        unit: 'µs',
        bar: { execnet: 3 },
        peer: 'queued',
      },
    ],
    raw: async (python) => ({ queued: ((await raw.toWorker(python, INTS * 15)) / INTS) * 1e3 }),
    tendril: (python) => withGateway(python, sendInts),
  },
  {
    name: 'ints-to-controller',
    rows: [
      { key: 'receive', title: 'ints to the controller, receive()', unit: 'µs', bar: { execnet: 2 } },
      { key: 'iterated', title: 'ints to the controller, for await', unit: 'µs', bar: { execnet: 2 }, peer: 'receive' },
      { key: 'callback', title: 'ints to the controller, setCallback', unit: 'µs', peer: 'receive' },
    ],
    raw: async (python) => ({ receive: ((await raw.toController(python, INTS * 18)) / INTS) * 1e3 }),
    tendril: (python) => withGateway(python, receiveInts),
  },
  transfers('rows', '10,000 dict rows', { python: MAKE_ROWS, make: makeRows, n: 10_000, bar: { execnet: 12 } }),
  transfers('floats', '200,000 floats', { python: MAKE_FLOATS, make: makeFloats, n: 200_000, bar: { execnet: 20 } }),
  transfers('bytes', '64 MiB of bytes', {
    python: MAKE_BYTES,
    make: makeBytes,
    n: 64 * MIB,
    bar: { execnet: 6, raw: 2 },
  }),
  {
    name: 'startup',
    rows: [
      { key: 'launched', title: 'popen to first result, launchGateway', unit: 'ms', bar: { execnet: 1, overRaw: 15 } },
      {
        key: 'made',
        title: 'popen to first result, makeGateway',
        unit: 'ms',
        bar: { execnet: 1, overRaw: 15 },
        peer: 'launched',
      },
      { key: 'cold', title: 'the same, first one of a process', unit: 'ms' },
    ],
    raw: async (python) => ({ launched: await raw.startUp(python) }),
    tendril: startUp,
  },
  {
    name: 'gateways',
    rounds: 3,
    rows: [{ key: 'all', title: `${GATEWAYS} gateways to ${GATEWAYS} results`, unit: 'ms', bar: { execnet: 1.5 } }],
    raw: async (python) => ({ all: await raw.startUps(python, GATEWAYS) }),
    tendril: manyGateways,
  },
  {
    name: 'idle',
    rounds: 3,
    rows: [
      { key: 'worker', title: "worker's memory, idle", unit: 'MiB', bar: { overRaw: 5 } },
      { key: 'used', title: "worker's memory, after a task", unit: 'MiB' },
      { key: 'session', title: 'proportional share of worker and guard', unit: 'MiB' },
    ],
    raw: raw.idle,
    tendril: idleMemory,
  },
  {
    name: 'unread',
    rounds: 1,
    rows: [
      { key: 'toWorker', title: `${UNREAD_MIB} MB unread by the worker: it grows`, unit: 'MiB', bar: { atMost: 64 } },
      { key: 'toWorkerHere', title: '… and the controller grows', unit: 'MiB', bar: { atMost: 64 } },
      {
        key: 'toController',
        title: `${UNREAD_MIB} MB unread by the controller: it grows`,
        unit: 'MiB',
        bar: { atMost: 64 },
      },
      { key: 'toControllerThere', title: '… and the worker grows', unit: 'MiB', bar: { atMost: 64 } },
    ],
    tendril: unread,
  },
  repeated('channels', `${CHANNELS} channels`, CHANNELS, openAndCloseChannel),
  repeated('execs', `${EXECS} execs`, EXECS, runTask),
]

function roundTrips(name, how, isPinned, bar) {
  return {
    name,
    isPinned,
    rows: [
      { key: 'awaited', title: `round trip, ${how}`, unit: 'µs', bar },
      { key: 'queued', title: `round trip, ${how}, send not awaited`, unit: 'µs', peer: 'awaited' },
      { key: 'later', title: `round trip, ${how}, on the second task`, unit: 'µs', peer: 'awaited' },
    ],
    raw: async (python) => ({ awaited: await raw.roundTrip(python, ROUND_TRIPS) }),
    tendril: (python) => withGateway(python, measureRoundTrips),
  }
}

async function measureRoundTrips(gateway) {
  const first = gateway.remoteExec(ECHO)
  const figures = {}
  figures.awaited = await roundTripOn(first, (i) => first.send(i))
  figures.queued = await roundTripOn(first, (i) => void first.send(i))
  await first.close()
  await gateway.remoteExec('pass').waitClose()
  const second = gateway.remoteExec(ECHO)
  figures.later = await roundTripOn(second, (i) => second.send(i))
  return figures
}

async function roundTripOn(channel, send) {
  let start = 0
  for (let i = -500; i < ROUND_TRIPS; i++) {
    if (i === 0) start = performance.now()
    await send(i)
    await channel.receive()
  }
  return ((performance.now() - start) * 1e3) / ROUND_TRIPS
}

async function sendInts(gateway) {
  const count = 'while channel.receive() != -1: pass\nchannel.send(None)'
  const channels = [gateway.remoteExec(`channel.send(0)\n${count}`), gateway.remoteExec(`channel.send(0)\n${count}`)]
  for (const channel of channels) await channel.receive()
  const [queued, awaited] = channels
  return {
    queued: await perInt(async () => {
      // As a program sends that has many values at hand: a thousand a turn of the event loop.
      for (let i = 0; i < INTS; i += 1000) {
        await Promise.all(Array.from({ length: 1000 }, (_, j) => queued.send(i + j)))
      }
      await queued.send(-1)
      await queued.receive()
    }),
    awaited: await perInt(async () => {
      for (let i = 0; i < INTS; i++) await awaited.send(i)
      await awaited.send(-1)
      await awaited.receive()
    }),
  }
}

async function receiveInts(gateway) {
  const source = `channel.receive()\nfor i in range(${INTS}): channel.send(i)`
  const start = async () => {
    const channel = gateway.remoteExec(source)
    await channel.send('go')
    return channel
  }
  return {
    receive: await perInt(async () => {
      const channel = await start()
      for (let i = 0; i < INTS; i++) await channel.receive()
    }),
    iterated: await perInt(async () => {
      for await (const _ of await start());
    }),
    callback: await perInt(async () => {
      const channel = await start()
      channel.setCallback(() => undefined)
      await channel.waitClose()
    }),
  }
}

async function perInt(run) {
  return ((await timed(run)) * 1e3) / INTS
}

/** A big item to the worker, which confirms when it has the value, and the same item from it. */
function transfers(name, title, { python: source, make, n, bar }) {
  return {
    name,
    rounds: 3,
    rows: [
      { key: 'toWorker', title: `${title} to the worker`, unit: 'ms', bar },
      { key: 'toController', title: `${title} to the controller`, unit: 'ms', bar },
    ],
    raw: async (python) => {
      const bytes = raw.wireSize(make(n))
      return { toWorker: await raw.toWorker(python, bytes), toController: await raw.toController(python, bytes) }
    },
    tendril: (python) =>
      withGateway(python, async (gateway) => {
        const item = make(n)
        const sink = gateway.remoteExec(CONFIRM)
        const toWorker = await medianOf(5, () =>
          timed(async () => {
            await sink.send(item)
            if ((await sink.receive()) !== n) throw new Error('the worker has something else')
          }),
        )
        await sink.close()
        const from = gateway.remoteExec(source + SEND_ON_DEMAND)
        await from.send(n)
        const toController = await medianOf(5, () =>
          timed(async () => {
            await from.send('go')
            if ((await from.receive()).length !== n) throw new Error('something else arrived')
          }),
        )
        return { toWorker, toController }
      }),
  }
}

async function startUp(python) {
  const group = new Group()
  const once = (open) =>
    timed(async () => {
      const gateway = await open()
      const channel = gateway.remoteExec('channel.send(1)')
      await channel.receive()
      return () => gateway.terminate()
    })
  const cold = await once(() => group.launchGateway(specOf(python)))
  const launched = await medianOf(5, () => once(() => group.launchGateway(specOf(python))))
  const made = await medianOf(5, () => once(() => group.makeGateway(specOf(python))))
  return { cold, launched, made }
}

async function manyGateways(python) {
  const all = await timed(async () => {
    const group = new Group()
    for (let i = 0; i < GATEWAYS; i++) group.launchGateway(specOf(python))
    await group.remoteExec('channel.send(1)').receiveEach()
    return () => group.terminate()
  })
  return { all }
}

function idleMemory(python) {
  return withGateway(python, async (gateway) => {
    const { pid } = await gateway.info()
    const worker = residentMib(pid)
    const session = sessionPssMib(pid)
    await gateway.remoteExec('channel.send(1)').waitClose()
    return { worker, session, used: residentMib(pid) }
  })
}

async function unread(python) {
  const toWorker = await withGateway(python, async (gateway) => {
    const channel = gateway.remoteExec('channel.gateway.newchannel().receive()')
    const { pid } = await gateway.info()
    return peakGrowth({ here: process.pid, there: pid }, async () => {
      for (let i = 0; i < UNREAD_MIB; i++) {
        // A send that waits for the window rejects when its gateway ends.
        const sent = channel.send(Buffer.alloc(MIB, i)).then(
          () => true,
          () => false,
        )
        if (!(await Promise.race([sent, passed(1000, false)]))) return
      }
    })
  })
  const toController = await withGateway(python, async (gateway) => {
    const { pid } = await gateway.info()
    return peakGrowth({ here: process.pid, there: pid }, async () => {
      gateway.remoteExec(`for i in range(${UNREAD_MIB}): channel.send(bytearray(${MIB}))`)
      await passed(2000)
    })
  })
  return {
    toWorker: toWorker.there,
    toWorkerHere: toWorker.here,
    toController: toController.here,
    toControllerThere: toController.there,
  }
}

/** The same thing very often: what has grown from the end of the first quarter to the end. */
function repeated(name, title, times, makeStep) {
  const grown = (key, what, unit, atMost) => ({ key, title: `${title}: ${what}`, unit, bar: { atMost } })
  return {
    name,
    rounds: 1,
    rows: [
      { key: 'each', title: `${title}, time for each`, unit: 'µs' },
      // What allocators keep back differs by this much from run to run.
      grown('workerMib', 'worker grows', 'MiB', 1),
      grown('controllerMib', 'controller grows', 'MiB', 8),
      grown('heapMib', "controller's heap grows", 'MiB', 1),
      grown('threads', "worker's threads more", '', 0),
      grown('workerFds', "worker's descriptors more", '', 0),
      grown('controllerFds', "controller's descriptors more", '', 0),
      grown('channels', 'channels left open', '', 0),
    ],
    tendril: (python) =>
      withGateway(python, async (gateway) => {
        const { pid } = await gateway.info()
        const step = makeStep(gateway)
        const repeat = async (count) => {
          for (let i = 0; i < count; i++) await step()
        }
        await repeat(times / 4)
        const before = await snapshot(gateway, pid)
        const ms = await timed(() => repeat((times * 3) / 4))
        const after = await snapshot(gateway, pid)
        return { each: (ms * 1e3) / ((times * 3) / 4), ...growth(before, after) }
      }),
  }
}

function openAndCloseChannel(gateway) {
  const carrier = gateway.remoteExec(`
    for other in channel:
        other.send(1)
        other.close()
  `)
  return async () => {
    const channel = gateway.newChannel()
    await carrier.send(channel)
    await channel.receive()
    await channel.waitClose()
  }
}

function runTask(gateway) {
  return async () => {
    const channel = gateway.remoteExec('channel.send(1)')
    await channel.receive()
    await channel.waitClose()
  }
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

async function medianOf(times, measure) {
  const figures = []
  for (let i = 0; i < times; i++) figures.push(await measure())
  return median(figures)
}
