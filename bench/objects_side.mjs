// Remote objects: a chain of operations beside one call, here and over a slow link, and many references. `target` is the bed: { spec }.
import { Group } from 'tendril'
import { median, passed, residentMib, timed } from './figures.mjs'

export const REFERENCES = 100_000

const TURNS = 15
const TIMES = 300
const WARM_UP = 3000
const WARM_UPS = 3 // of memory: threads keep some at hand, each its own
const FAR_TURNS = 7

/** Three names looked up and three calls, each on what the one before gave. */
const chain = ({ modules }) => modules.datetime.date(2020, 1, 2).replace(2021).isoformat()
const call = (gateway) => gateway.call('operator.add', [1, 2])

/** Microseconds of a chain and of one call, in turns, and how many times as long the chain takes. */
export async function chains(python) {
  return withGateway(`popen//python=${python}`, async (gateway) => {
    const measure = async (run, times) => (await timed(() => repeat(times, () => run(gateway)))) * (1e3 / times)
    const figures = { chain: [], call: [] }
    for (const run of [chain, call]) await measure(run, WARM_UP)
    for (let turn = 0; turn < TURNS; turn++) {
      figures.chain.push(await measure(chain, TIMES))
      figures.call.push(await measure(call, TIMES))
    }
    const [chained, called] = [median(figures.chain), median(figures.call)]
    return { chain: chained, call: called, ratio: chained / called }
  })
}

/** Round trips that a chain takes, of those that a bare channel takes. */
export async function farChains(python, { spec }) {
  return withGateway(`${spec}//python=${python}`, async (gateway) => {
    const channel = gateway.remoteExec('for item in channel: channel.send(item)')
    const echo = async () => {
      await channel.send(1)
      await channel.receive()
    }
    const middle = async (run) => {
      const times = []
      await run(gateway)
      for (let turn = 0; turn < FAR_TURNS; turn++) times.push(await timed(async () => void (await run(gateway))))
      return median(times)
    }
    return { trips: (await middle(chain)) / (await middle(echo)) }
  })
}

/** References made and dropped: what is left on the worker after the last time, and by how much both sides have grown since the first times. */
export async function references(python) {
  return withGateway(`popen//python=${python}`, async (gateway) => {
    const pid = await gateway.call('os.getpid')
    for (let time = 0; time < WARM_UPS; time++) await makeAndDrop(gateway)
    const before = [residentMib(pid), process.memoryUsage().heapUsed / 2 ** 20]
    const ms = await timed(() => makeAndDrop(gateway))
    const stats = await gateway.stats()
    return {
      each: (ms * 1e3) / REFERENCES,
      left: stats.remoteReferences,
      worker: residentMib(pid) - before[0],
      heap: process.memoryUsage().heapUsed / 2 ** 20 - before[1],
    }
  })
}

async function makeAndDrop(gateway) {
  for (let made = 0; made < REFERENCES; made++) {
    gateway.ref.call('object')
    if (made % 5000 === 0) await gateway.call('len', [[]])
  }
  do {
    globalThis.gc()
    await passed(10)
  } while ((await gateway.stats()).remoteReferences > 0)
}

async function repeat(times, run) {
  for (let i = 0; i < times; i++) await run()
}

async function withGateway(spec, run) {
  const group = new Group()
  try {
    return await run(await group.makeGateway(spec))
  } finally {
    await group.terminate()
  }
}
