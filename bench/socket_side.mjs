// tendril's side of the works over sockets and WebSockets, which one server serves. `target` is the bed: { spec, execnet }. Beside it stands popen, for the bytes.
import { Group } from 'tendril'
import { median, timed } from './figures.mjs'
import { roundTripOn } from './tendril_side.mjs'

export const SOCKET_MIB = 64

const ROUND_TRIPS = 3000
const SOURCE = `
item = b'x' * channel.receive()
for _ in channel: channel.send(item)
`

/** Microseconds of one, warm. */
export function socketRoundTrips(python, { spec }) {
  return roundTripsOver(`${spec}//python=${python}`)
}

export function wsRoundTrips(python, { spec }) {
  return roundTripsOver(`${wsOf(spec)}//python=${python}`)
}

function roundTripsOver(spec) {
  return withGateway(spec, async (gateway) => {
    const channel = gateway.remoteExec('for item in channel: channel.send(item)')
    await roundTripOn(channel, 3 * ROUND_TRIPS)
    return { each: await roundTripOn(channel, ROUND_TRIPS) }
  })
}

/** Milliseconds to move an item of so many bytes, warm. */
export function socketBytes(python, { spec }) {
  return bytesOver(`${spec}//python=${python}`)
}

export function wsBytes(python, { spec }) {
  return bytesOver(`${wsOf(spec)}//python=${python}`)
}

function wsOf(spec) {
  return spec.replace('socket=', 'ws=ws://')
}

/** The same through pipes. */
export function popenBytes(python) {
  return bytesOver(`popen//python=${python}`)
}

function bytesOver(spec) {
  return withGateway(spec, async (gateway) => {
    const size = SOCKET_MIB * 1024 * 1024
    const sink = gateway.remoteExec('for item in channel: channel.send(len(item)); del item')
    const source = gateway.remoteExec(SOURCE)
    await source.send(size)
    const item = Buffer.alloc(size, 'x')
    const toWorker = await medianOf(7, async () => {
      await sink.send(item)
      await sink.receive()
    })
    const toController = await medianOf(7, async () => {
      await source.send(1)
      await source.receive()
    })
    return { toWorker, toController }
  })
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
