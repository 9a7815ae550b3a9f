// Ways that lead to a worker by a detour: behind another gateway, and dialing home. Beside them stands popen.
import { spawn } from 'node:child_process'
import { dialFile, Group } from 'tendril'
import { median, timed } from './figures.mjs'
import { roundTripOn } from './tendril_side.mjs'

export const VIA_MIB = 64
export const ARRIVALS = 100

const ROUND_TRIPS = 1500

/** Microseconds of one, behind one other gateway. */
export function viaRoundTrips(python) {
  return withGateway(viaSpecs(python), roundTrips)
}

/** The same without it. */
export function directRoundTrips(python) {
  return withGateway([`popen//python=${python}`], roundTrips)
}

/** Milliseconds of an item of bytes, behind one other gateway. */
export function viaBytes(python) {
  return withGateway(viaSpecs(python), bytes)
}

/** The same without it. */
export function directBytes(python) {
  return withGateway([`popen//python=${python}`], bytes)
}

function viaSpecs(python) {
  return [`popen//id=carrier//python=${python}`, `popen//via=carrier//python=${python}`]
}

async function roundTrips(gateway) {
  const echo = gateway.remoteExec('for item in channel: channel.send(item)')
  await roundTripOn(echo, 3 * ROUND_TRIPS)
  return { each: await roundTripOn(echo, ROUND_TRIPS) }
}

async function bytes(gateway) {
  const item = Buffer.alloc(VIA_MIB * 1024 * 1024, 'x')
  const sink = gateway.remoteExec('for item in channel: channel.send(len(item)); del item')
  const source = gateway.remoteExec(`item = b'x' * ${item.length}\nfor _ in channel: channel.send(item)`)
  const toWorker = await medianOf(7, async () => {
    await sink.send(item)
    await sink.receive()
  })
  const toController = await medianOf(7, async () => {
    await source.send(1)
    await source.receive()
  })
  return { toWorker, toController }
}

/** Runs it with the last of the gateways that are made. */
async function withGateway(specs, run) {
  const group = new Group()
  try {
    for (const spec of specs) await group.makeGateway(spec)
    return await run(group.get(specs.length - 1))
  } finally {
    await group.terminate()
  }
}

/** Milliseconds until so many workers that dial home at the same time have given a result each. */
export async function arrivals(python) {
  const group = new Group()
  const refusals = []
  const arriving = await group.listen({ onRefusal: (_, error) => refusals.push(error) })
  try {
    // The words of the command are used as they are: what it takes to fetch the file is not what is measured.
    const { command, input } = arriving.inviteParts({ count: ARRIVALS })
    const [address] = /tcp:[^']*/.exec(command)
    const env = { ...process.env, TENDRIL_TOKEN: input.trim() }
    const all = await timed(async () => {
      for (let i = 0; i < ARRIVALS; i++) spawn(python, [dialFile, address], { env, stdio: 'ignore' })
      const results = []
      for (let i = 0; i < ARRIVALS; i++) {
        results.push((await arriving.next()).remoteExec('channel.send(1)').receive())
      }
      await Promise.all(results)
    })
    return { all, lost: refusals.length }
  } finally {
    arriving.close()
    await group.terminate()
  }
}

/** The same of children of this process. */
export async function children(python) {
  const group = new Group()
  try {
    const all = await timed(async () => {
      const made = Array.from({ length: ARRIVALS }, () => group.makeGateway(`popen//python=${python}`))
      await Promise.all(made.map(async (gateway) => (await gateway).remoteExec('channel.send(1)').receive()))
    })
    return { all }
  } finally {
    await group.terminate()
  }
}

async function medianOf(times, run) {
  const figures = []
  for (let i = 0; i < times; i++) figures.push(await timed(run))
  return median(figures)
}
