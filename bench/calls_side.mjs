// tendril's side of the works about calls; rpyc_peer.py does the same things. What stands in the column of the raw pipe is a bare channel.
import { Group } from 'tendril'
import { median, timed } from './figures.mjs'
import { ROUND_TRIPS, roundTripOn, WARM_UP } from './tendril_side.mjs'

export const AT_ONCE = 1000
export const ITEMS = 20_000

/** Warm, as the round trips are. */
export function calls(python) {
  return withGateway(python, async (gateway) => {
    const sequential = async (times) => {
      for (let i = 0; i < times; i++) await gateway.call('operator.add', [i, 1])
    }
    const pipelined = async () => {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => gateway.call('operator.add', [i, 1])))
    }
    const iterate = async (text) => {
      let count = 0
      for await (const _ of await gateway.eval(text)) count++
      if (count !== ITEMS) throw new Error(`${count} items arrived`)
    }
    await gateway.execute(`data = list(range(${ITEMS}))`)
    const cold = await timed(() => iterate('iter(data)'))
    await sequential(WARM_UP)
    const each = ((await timed(() => sequential(ROUND_TRIPS))) * 1e3) / ROUND_TRIPS
    return {
      sequential: each,
      pipelined: ((await medianOf(10, pipelined)) * 1e3) / AT_ONCE,
      list: await medianOf(5, () => iterate('iter(data)')),
      generator: await medianOf(5, () => iterate('(item for item in data)')),
      cold,
    }
  })
}

/** A round trip of a channel alone. */
export function bareRoundTrips(python) {
  return withGateway(python, async (gateway) => {
    const channel = gateway.remoteExec('for item in channel: channel.send(item)')
    await roundTripOn(channel, WARM_UP)
    return { sequential: await roundTripOn(channel, ROUND_TRIPS) }
  })
}

async function withGateway(python, run) {
  const group = new Group()
  try {
    return await run(await group.makeGateway(`popen//python=${python}`))
  } finally {
    await group.terminate()
  }
}

async function medianOf(times, run) {
  const figures = []
  for (let i = 0; i < times; i++) figures.push(await timed(run))
  return median(figures)
}
