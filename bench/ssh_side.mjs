// tendril's side of the works over SSH. `target` is the bed: { spec, configFile, port, hosts }.
import { readdirSync, readFileSync } from 'node:fs'
import { Group } from 'tendril'
import { median, passed, residentMib, timed } from './figures.mjs'
import { roundTripOn } from './tendril_side.mjs'

export const SSH_GATEWAYS = 50
export const SSH_MIB = 256
export const LANES = 8
export const FAR_MS = 50
export const HOSTS = 200

const MIB = 1024 * 1024
const ROUND_TRIPS = 2000
const ECHO = 'for item in channel: channel.send(item)'
const TASK = 'import os; channel.send(os.getpid())'

/** Microseconds of one, warm; by either engine. */
export async function sshRoundTrips(python, { spec }) {
  const figures = {}
  for (const engine of ['ssh2', 'openssh']) {
    figures[engine] = await withGateway(`${spec}//engine=${engine}//python=${python}`, async (gateway) => {
      const channel = gateway.remoteExec(ECHO)
      await roundTripOn(channel, 3 * ROUND_TRIPS)
      return roundTripOn(channel, ROUND_TRIPS)
    })
  }
  return figures
}

/** Milliseconds until all have answered, and how many TCP connections that took. */
export async function sshGateways(python, { spec, port }) {
  const group = new Group()
  let connections = 0
  const all = await timed(async () => {
    for (let i = 0; i < SSH_GATEWAYS; i++) group.launchGateway(`${spec}//python=${python}`)
    await group.remoteExec(TASK).receiveEach()
    connections = connectionsTo(port)
    return () => group.terminate()
  })
  return { all, connections }
}

/** Milliseconds to move so many bytes, a MiB at a time, until the other side says that it has them. */
export function sshBytes(python, { spec }) {
  return withGateway(`${spec}//python=${python}`, async (gateway) => {
    const sink = gateway.remoteExec(`
      while True:
          left = channel.receive()
          while left: left -= len(channel.receive())
          channel.send('done')
    `)
    const source = gateway.remoteExec(`
      item = b'x' * (1 << 20)
      for count in channel:
          for _ in range(count): channel.send(item)
    `)
    const item = Buffer.alloc(MIB, 'x')
    const toWorker = await medianOf(3, async () => {
      await sink.send(SSH_MIB * MIB)
      for (let i = 0; i < SSH_MIB; i++) await sink.send(item)
      await sink.receive()
    })
    const toController = await medianOf(3, async () => {
      await source.send(SSH_MIB)
      for (let i = 0; i < SSH_MIB; i++) await source.receive()
    })
    return { toWorker, toController }
  })
}

/** Milliseconds to the first result: over a new connection, the first of this process; and then over the same one. */
export async function sshFar(python, { spec }) {
  const group = new Group()
  const firstResult = () =>
    timed(async () => {
      const gateway = group.launchGateway(`${spec}//python=${python}`)
      await gateway.remoteExec('channel.send(1)').receive()
    })
  const cold = await firstResult()
  const warm = median([await firstResult(), await firstResult(), await firstResult()])
  await group.terminate()
  return { cold, warm }
}

/** A task on every host, so many at a time, each gateway ended when it has answered; and what is left then. */
export async function sshHosts(python, { configFile, port, hosts }) {
  const group = new Group()
  const before = { descriptors: openDescriptors() }
  const waiting = [...hosts]
  const results = []
  let quarter
  const all = await timed(async () => {
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
          const gateway = group.launchGateway(`ssh=${host}//ssh_config=${configFile}//python=${python}`)
          results.push(await gateway.remoteExec(TASK).receive())
          await gateway.terminate()
          if (results.length === hosts.length / 4) quarter = settled()
        }
      }),
    )
  })
  if (results.length !== hosts.length) throw new Error(`${results.length} hosts answered`)
  const end = settled()
  const grown = { heap: end.heap - quarter.heap, resident: end.resident - quarter.resident }
  return { all, ...grown, ...(await leftAfterIdling(before.descriptors, port)) }
}

/** MiB, without what is only waiting to be collected. */
function settled() {
  globalThis.gc()
  return { heap: process.memoryUsage().heapUsed / MIB, resident: residentMib(process.pid) }
}

/** Connections stay for a while in case that they are needed again; afterwards nothing may be open that was not before. */
async function leftAfterIdling(descriptors, port) {
  const end = performance.now() + 90_000
  while (performance.now() < end && (openDescriptors() > descriptors || connectionsTo(port) > 0)) await passed(250)
  return { descriptors: openDescriptors() - descriptors, connections: connectionsTo(port) }
}

function openDescriptors() {
  return readdirSync('/proc/self/fd').length
}

/** Established ones, as the client sees them. */
function connectionsTo(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const pattern = new RegExp(`^ *\\d+: \\S+ \\w+:${hex} 01 `)
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter((line) => pattern.test(line)).length
}

async function withGateway(spec, run) {
  const group = new Group()
  try {
    return await run(await group.makeGateway(spec))
  } finally {
    await group.terminate()
  }
}

async function medianOf(times, run) {
  const figures = []
  for (let i = 0; i < times; i++) figures.push(await timed(run))
  return median(figures)
}
